"""Rows are drawn by steps that a GPU can capture: the same operations on the same memory, row after row."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from helpers.tiny_models import CONDITIONED, noise, seeded, sharper, tiny
from nextpixel.families.raster_model import RasterModel
from nextpixel.generation import rows
from nextpixel.generation import walk as walking
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.engine_choice import only
from nextpixel.generation.walk import walk
from nextpixel.nn.distributions import SamplingParams

CAPTURED = ("gated-pixelcnn", "pixelcnn", "row-lstm", "diagonal-bilstm", "autoencoder")

WAITING = ("aten._local_scalar_dense", "aten.nonzero", "aten.lift_fresh")


class Recorded(TorchDispatchMode):
    """Takes down operations with the shapes, the memory and the numbers that they take."""

    def __init__(self):
        super().__init__()
        self.operations, self.lasting, self.made = [], set(), {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        taken = [self.described(value) for value in tree_flatten((args, kwargs or {}))[0]]
        self.operations.append((str(function), taken))
        result = function(*args, **(kwargs or {}))
        for value in tree_flatten(result)[0]:
            if isinstance(value, torch.Tensor) and (place := memory_of(value)) not in self.lasting:
                # Kept, so that its memory does not become somebody else's.
                self.made.setdefault(place, (len(self.made), value))
        return result

    def described(self, value):
        if not isinstance(value, torch.Tensor):
            return str(value)
        place = memory_of(value)
        if place in self.made:
            place = f"made as number {self.made[place][0]}"
        else:
            self.lasting.add(place)
        return (value.dtype, value.shape, value.stride(), value.storage_offset(), place)


def memory_of(tensor):
    return tensor.untyped_storage().data_ptr()


@torch.no_grad()
def recorded_rows(model, sampling):
    """The operations of three rows, from the second one on."""
    count, (channels, height, width) = 3, model.image_shape
    shape = (count, channels, height, width)
    canvas = Canvas(
        noise(model, count),
        torch.zeros(shape),
        torch.zeros(shape, dtype=torch.bool),
        torch.rand(shape, dtype=torch.float64, generator=seeded()),
        sampling,
        model.levels,
        None,
    )
    stepper = model._stepper(count, model.context_of(model.random_condition(count, seeded())), width)
    inputs = rows.RowInputs.of(canvas, 0)
    places = channels * width
    taken = []
    for row in range(height):
        stepper.start_row(row)
        with Recorded() as record:
            rows.steps_of_row(stepper, model.distribution, canvas, inputs, [False] * places, [True] * places)
        stepper.end_row()
        taken.append(record.operations)
    return stepper, taken[1:]


@pytest.mark.parametrize("sampling", [SamplingParams(), SamplingParams(0.5, top_k=2, top_p=0.9)], ids=str)
@pytest.mark.parametrize("head", ["softmax", "logistic-mixture"])
def test_the_steps_of_every_row_are_the_same_operations_on_the_same_memory(variant, head, sampling):
    model = tiny(variant, (3, 4, 3), 4, head=head).eval()
    if not isinstance(model, RasterModel):
        pytest.skip("its steps are those of the models inside")
    stepper, taken = recorded_rows(model, sampling)
    assert stepper.repeats == all(operations == taken[0] for operations in taken)
    assert stepper.repeats or variant.removesuffix(CONDITIONED) not in CAPTURED
    # Neither the GPU is asked for a number nor given one that was made on the CPU.
    names = {name for operations in taken for name, _ in operations} if stepper.repeats else set()
    assert not {name for name in names if name.startswith(WAITING)}


def as_on_a_gpu(monkeypatch):
    """Rows are drawn as by graphs; what a graph does is done operation by operation."""
    calls = []

    def captured(work, device):
        assert device.type == "cpu"

        def replay():
            calls.append(1)
            work()

        return replay

    monkeypatch.setattr(rows, "captured", captured)
    monkeypatch.setattr(walking, "captures_rows", lambda stepper, _: stepper.repeats)
    return calls


@pytest.mark.parametrize("known_rows", [0, 2])
@pytest.mark.parametrize("head", ["softmax", "logistic-mixture"])
@pytest.mark.parametrize("family", [*CAPTURED, "multiscale", "turned", "pixelsnail"])
def test_what_is_captured_draws_what_is_not(family, head, known_rows, monkeypatch):
    model = sharper(tiny(family, (3, 5, 4), 5, head=head), 0.7).double().eval()
    images, condition = noise(model, 4), model.random_condition(4, seeded())
    known = (torch.rand(4, 1, 5, 4, generator=seeded()) < 0.3).expand_as(images).clone()
    known[:, :, :known_rows] = True
    done, rows_seen = [], []
    options = {"generator": None, "advance": done.append, "watch": lambda _: rows_seen.append(1)}
    with only("pytorch"):
        expected = walk(model, images, known, condition, **options | {"generator": seeded(3)})
        told = sum(done), len(rows_seen)
        done.clear(), rows_seen.clear()
        calls = as_on_a_gpu(monkeypatch)
        made = walk(model, images, known, condition, **options | {"generator": seeded(3)})
    assert torch.equal(made.images, expected.images)
    torch.testing.assert_close(made.log_prob_map, expected.log_prob_map, atol=1e-12, rtol=1e-12)
    assert (sum(done), len(rows_seen)) == told
    assert bool(calls) == (family != "pixelsnail")


def test_where_nothing_can_be_captured_the_same_is_drawn_with_a_warning(monkeypatch):
    def captured(*_):
        raise RuntimeError("operation not permitted")

    model = sharper(tiny("gated-pixelcnn", (3, 5, 4), 5), 0.7).double().eval()
    with only("pytorch"):
        expected = model.sample(4, generator=seeded(3))
        as_on_a_gpu(monkeypatch)
        monkeypatch.setattr(rows, "captured", captured)
        with pytest.warns(UserWarning, match="slower: operation not permitted") as warned:
            assert torch.equal(model.sample(4, generator=seeded(3)), expected)
    assert len(warned) == 1


def test_rows_are_captured_on_a_gpu_alone_where_they_repeat_and_are_not_too_long():
    def chosen(device="cuda", repeats=True, width=28, colours=1):
        images = SimpleNamespace(shape=(2, colours, 28, width), device=torch.device(device))
        return rows.captures_rows(SimpleNamespace(repeats=repeats), SimpleNamespace(images=images))

    assert chosen()
    assert not chosen("cpu")
    assert not chosen(repeats=False)
    assert chosen(width=rows.MOST_CAPTURED) and not chosen(width=rows.MOST_CAPTURED, colours=3)
    for engine in ("pytorch", "compiled", "captured"):
        with only(engine):
            assert chosen() == (engine == "captured")


def test_a_capture_that_failed_leaves_its_stream(monkeypatch):
    """As PyTorch's does not: where ending a capture fails, it goes on in the stream of the capture."""
    streams = ["usual"]

    class Graph:
        def __init__(self, _, *, stream, **__):
            self.stream = stream

        def __enter__(self):
            streams[-1] = self.stream

        def __exit__(self, *_):
            raise RuntimeError("the capture is invalid")

    @contextmanager
    def stream(chosen):
        before, streams[-1] = streams[-1], chosen
        try:
            yield
        finally:
            streams[-1] = before

    fakes = {
        "CUDAGraph": lambda: None,
        "Stream": lambda _: "of the capture",
        "graph": Graph,
        "stream": stream,
        "current_stream": lambda _: streams[-1],
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    with pytest.raises(RuntimeError, match="the capture is invalid"):
        rows.captured(lambda: None, torch.device("cuda"))
    assert streams == ["usual"]
