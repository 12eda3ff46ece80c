import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest

import nextpixel as nx
from helpers.launch import TESTS, finish, start, together
from nextpixel.cli.app import run
from nextpixel.runtime.batching import divided, scaled
from nextpixel.runtime.distributed import ALONE, current, launched


def test_alone_everything_is_done_here():
    assert current() is ALONE and ALONE.first
    with launched() as processes:
        assert processes is ALONE
    assert ALONE.share(5) == slice(0, 5)
    assert list(ALONE.each([1, 2], lambda task: task + 1)) == [2, 3]
    assert ALONE.beside([4, 5, 6], 1) == [5]
    assert ALONE.together(lambda: 1) == ALONE.machine_by_machine(lambda: 1) == ALONE.from_first(lambda: 1) == 1
    assert ALONE.all(3) == [3]
    with pytest.raises(nx.InputError):
        ALONE.from_first(lambda: (_ for _ in ()).throw(nx.InputError("no")))


@pytest.mark.parametrize("count", [2, 3])
def test_several_share_work_and_fail_together(count):
    together(count, TESTS / "helpers" / "together_processes.py")


@pytest.mark.parametrize(("count", "size", "processes"), [(10, 4, 1), (10, 256, 3), (1, 5, 4), (7, 1, 2), (9, 3, 2)])
def test_batches_cover_everything_and_leave_no_process_idle(count, size, processes):
    parts = divided(count, size, processes)
    assert [each for part in parts for each in range(count)[part]] == list(range(count))
    assert len(parts) >= min(count, processes) - 1
    assert all(part.stop - part.start <= size for part in parts)


def test_scaled_counts_are_exact_in_all():
    counts = []
    advance = scaled(counts.append, 7, 3)
    for number in (1, 1, 4, 6):
        advance(number)
    assert sum(counts) == 28
    assert scaled(None, 1, 2) is None
    assert scaled(counts.append, 2, 2) == counts.append


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together") / "model"
    nx.build("gated-pixelcnn", image_shape=(1, 8, 8), levels=17, features=6, layers=2).save(folder)
    return folder


COMPLETE = ["--known", "top", "--candidates", "3", "--count", "2", "--limit", "3", "--seed", "1"]


@pytest.fixture(scope="module")
def results(model, tmp_path_factory):
    """What the same commands print and write, done by one process and by two."""
    folder = tmp_path_factory.mktemp("results")
    normal = folder / "normal.npz"
    np.savez(normal, images=nx.open_images("digits")[:40][:, 0].numpy(), levels=17)
    printed = {}
    for count in (1, 2):
        out = folder / str(count)
        commands = [
            ["evaluate", model, "digits", "--json"],
            ["sample", model, "--count", 5, "--seed", 3, "--out", out / "samples.npz"],
            ["sample", model, "--count", 5, "--seed", 3, "--out", out / "samples"],
            ["sample", model, "--count", 4, "--out", out / "first.npz"],
            ["sample", model, "--count", 4, "--out", out / "second.npz"],
            ["score", model, normal, "--out", out / "scores.csv"],
            ["score", model, out / "samples.npz", "--out", out / "few.jsonl", "--maps", out / "maps"],
            ["complete", model, normal, *COMPLETE, "--out", out / "completed"],
            ["compress", model, out / "samples", "--out", out / "file.npx", "--no-compare"],
        ]
        words = [[str(word) for word in command] for command in commands]
        if count > 1:
            printed[count] = together(count, TESTS / "helpers" / "together_commands.py", json.dumps(words))
        else:
            with redirect_stdout(io.StringIO()) as captured:
                assert [run(command) for command in words] == [0] * len(words)
            printed[count] = captured.getvalue()
    return folder, printed


def test_evaluating_gives_the_same_figure(results):
    alone, shared = (json.loads(printed.splitlines()[0]) for printed in results[1].values())
    assert alone["images"] == shared["images"] == 180
    assert shared["nats"] == pytest.approx(alone["nats"], rel=1e-6)
    assert shared["nats_standard_error"] == pytest.approx(alone["nats_standard_error"], rel=1e-6)


def test_the_same_files_are_written(results):
    alone, shared = (results[0] / count for count in "12")
    names = [[path.relative_to(out) for path in sorted(out.rglob("*"))] for out in (alone, shared)]
    assert names[0] == names[1] and len(names[0]) > 20
    same = [name for name in names[0] if name.parts[0] in ("samples", "samples.npz", "completed", "file.npx")]
    for name in same:
        if name.suffix == ".npz":
            assert np.array_equal(np.load(alone / name)["images"], np.load(shared / name)["images"])
        elif name.suffix:
            assert (alone / name).read_bytes() == (shared / name).read_bytes()


def test_scoring_gives_the_same_table_in_the_same_order(results):
    rows = [
        np.genfromtxt(results[0] / count / "scores.csv", delimiter=",", names=True, usecols=(0, 1, 2, 3))
        for count in "12"
    ]
    assert rows[0]["image"].tolist() == list(range(40))
    for name in rows[0].dtype.names:
        np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=1e-5, atol=1e-5)


def test_without_a_seed_all_processes_draw_from_one_and_not_the_same_twice(results):
    first, second = (np.load(results[0] / "2" / f"{name}.npz")["images"] for name in ("first", "second"))
    assert not np.array_equal(first, second)
    assert len(np.unique(first.reshape(4, -1), axis=0)) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "--nonsense"], "--nonsense"),
        (["sample", "MODEL", "--out", "a.png", "--count", "0"], "--count must be at least 1"),
    ],
)
def test_a_mistake_is_told_by_the_first_process(model, arguments, sentence):
    words = [str(model) if word == "MODEL" else word for word in arguments]
    found = finish(start(2, "-m", "nextpixel", *words))
    assert [code for code, _, _ in found] == [2, 2]
    assert sentence in found[0][2] and found[0][2].count("\n") == 1


def test_other_commands_are_done_by_the_first_process_alone(model):
    found = finish(start(2, "-m", "nextpixel", "info", model))
    assert [code for code, _, _ in found] == [0, 0]
    assert "gated-pixelcnn" in found[0][1] and found[1][1] == ""
