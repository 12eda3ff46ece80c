"""What holds on a CPU holds on a GPU: likelihoods, causality, draws, files."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, seeded, sharper, tiny
from nextpixel.generation import rows
from nextpixel.generation.engine_choice import only
from nextpixel.generation.walk import walk
from nextpixel.model_files.shipped import shipped
from nextpixel.nn.chosen_level import log_softmax_at
from nextpixel.nn.distributions import SamplingParams
from nextpixel.scoring.maps import bit_maps
from nextpixel.verify import stepwise_difference

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

GPU = torch.device("cuda")
SHAPES = [(1, 5, 7), (3, 6, 4), (3, 1, 9)]
LARGE = {
    "gated-pixelcnn": {"features": 96, "kernel_size": 5},
    "pixelcnn": {"features": 64, "kernel_size": 5},
}
"""Sizes at which cuDNN has other algorithms to choose from than for tiny models."""


def of_size(family, shape, levels):
    if family in LARGE:
        torch.manual_seed(1)
        return nx.build(family, image_shape=shape, levels=levels, layers=4, **LARGE[family])
    return tiny(family, shape, levels)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_likelihood_is_as_near_to_that_of_float64_as_on_a_cpu(variant, shape):
    model = sharper(tiny(variant, shape, 5)).eval()
    images = noise(model, 4)
    with torch.no_grad():
        on_cpu = model.log_prob_map(images).double()
        on_gpu = model.to(GPU).log_prob_map(images)
        exact = model.cpu().double().log_prob_map(images)
    assert on_gpu.device.type == GPU.type
    errors = [(each - exact).abs().max() for each in (on_gpu.double().cpu(), on_cpu)]
    assert errors[0] <= 5 * errors[1] + 1e-5


@pytest.mark.parametrize("name", shipped())
def test_scores_of_shipped_models_are_those_of_the_cpu(name):
    model = nx.load(name)
    images = noise(model, 8)
    expected = nx.score(model, images)
    found = nx.score(model.to(GPU), images)
    for name, column in expected.columns.items():
        if column.dtype.kind == "f":
            assert found[name].tolist() == pytest.approx(column.tolist(), rel=2e-6, abs=2e-6)


def test_a_likelihood_is_the_same_to_the_last_printed_digit():
    model = nx.load("nextpixel/digits-gated")
    images = model.sample(16, generator=seeded())
    likelihood, maps = nx.evaluate(model, images), list(bit_maps(model, images))
    model.to(GPU)
    assert str(nx.evaluate(model, images)) == str(likelihood)
    for (_, bits), (_, expected) in zip(bit_maps(model, images), maps, strict=True):
        torch.testing.assert_close(bits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_causality_holds(variant, shape):
    report = nx.check_causality(tiny(variant, shape, 3).to(GPU))
    assert report.ok, str(report)


@pytest.mark.parametrize("family", LARGE)
@pytest.mark.parametrize("channels_last", [True, False])
def test_causality_holds_in_large_models(family, channels_last):
    model = of_size(family, (3, 32, 32), 256).to(GPU)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    report = nx.check_causality(model, outputs=40)
    assert report.ok, str(report)


@pytest.mark.parametrize("shape", SHAPES)
def test_drawn_step_by_step_or_scored_at_once_is_the_same(variant, shape):
    assert stepwise_difference(sharper(tiny(variant, shape, 5)).to(GPU), count=3) < 1e-4


@pytest.mark.parametrize("family", LARGE)
def test_large_models_step_as_they_score(family):
    assert stepwise_difference(of_size(family, (3, 32, 32), 256).to(GPU), count=4) < 1e-4


def test_a_seed_draws_what_it_draws_on_the_cpu(variant):
    model = sharper(tiny(variant, (3, 5, 4), 5), 1.0).double()
    expected = model.sample(5, generator=seeded(3))
    assert torch.equal(model.to(GPU).sample(5, generator=seeded(3)).cpu(), expected)


def test_what_is_known_stays_and_the_rest_is_as_on_the_cpu(variant):
    model = sharper(tiny(variant, (3, 5, 4), 5), 1.0).double()
    images = noise(model, 3)
    known = torch.zeros(5, 4, dtype=torch.bool)
    known[1:3, 1:] = True
    expected = model.complete(images, known, generator=seeded(2))
    found = model.to(GPU).complete(images.to(GPU), known.to(GPU), generator=seeded(2)).cpu()
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "family", ["gated-pixelcnn", "pixelcnn", "row-lstm", "diagonal-bilstm", "multiscale", "turned"]
)
@pytest.mark.parametrize("sampling", [SamplingParams(), SamplingParams(0.5, top_k=2), SamplingParams(0.0)], ids=str)
def test_captured_steps_draw_what_single_operations_draw(family, sampling, monkeypatch):
    model = sharper(tiny(family, (3, 6, 5), 5), 1.0).to(GPU)
    images, condition = noise(model, 4).to(GPU), model.random_condition(4, seeded())
    known = (torch.rand(4, 1, 6, 5, generator=seeded()) < 0.3).expand_as(images.cpu()).to(GPU)
    graphs, inside = [], rows.captured
    monkeypatch.setattr(rows, "captured", lambda *arguments: graphs.append(1) or inside(*arguments))
    drawn = []
    for engine in ("pytorch", "captured"):
        with only(engine):
            drawn.append(walk(model, images, known, condition, sampling=sampling, generator=seeded(3)))
        assert bool(graphs) == (engine == "captured")
    assert torch.equal(drawn[0].images, drawn[1].images)
    torch.testing.assert_close(drawn[0].log_prob_map, drawn[1].log_prob_map, atol=1e-5, rtol=1e-5)


def test_threads_may_capture_at_the_same_time():
    models = [sharper(tiny("gated-pixelcnn", (1, 6, 5), levels), 1.0).to(GPU) for levels in (3, 5, 7)]
    expected = [model.sample(4, generator=seeded()) for model in models]
    with ThreadPoolExecutor(len(models)) as pool:
        made = list(pool.map(lambda model: model.sample(4, generator=seeded()), models))
    assert all(map(torch.equal, made, expected))


def test_files_are_the_same_bytes():
    model = sharper(tiny("gated-pixelcnn", (3, 6, 5), 256))
    images = noise(model, 3)
    data = nx.compress(model, images)
    on_gpu = tiny("gated-pixelcnn", (3, 6, 5), 256)
    on_gpu.load_state_dict(model.state_dict())
    assert nx.compress(on_gpu.to(GPU), images.to(GPU)) == data
    assert torch.equal(nx.decompress(on_gpu, data).cpu(), images)


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_compiled_in_half_precision_the_gradients_of_the_logits_of_a_pixel_cancel(offset):
    """Those of a softmax do; where forward and backward round differently they do not, and large logits run away."""
    convolution = torch.nn.Conv2d(16, 256, 1).to(GPU, memory_format=torch.channels_last)
    torch.nn.init.constant_(convolution.bias, offset)
    maps = torch.randn(8, 16, 14, 14).to(GPU, memory_format=torch.channels_last)
    levels = torch.randint(256, (8, 14, 14)).to(GPU)

    def nats():
        with torch.autocast("cuda", torch.bfloat16):
            logits = convolution(maps)
        return log_softmax_at(logits.permute(0, 2, 3, 1), levels).sum()

    for function in (nats, torch.compile(nats)):
        convolution.zero_grad()
        function().backward()
        assert abs(float(convolution.bias.grad.sum())) < 0.05 * float(convolution.bias.grad.norm())
