"""The commands as a user runs them, one after the other, on a tiny model of real digits."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.cli.app import run
from nextpixel.verify import check_causality

TINY = "--features 6 --layers 2 --batch-size 16 --grids 1 --grid-images 4"


def nextpixel(*words):
    return run([part for word in words for part in str(word).split("\0")])


def train(out, *words):
    return nextpixel("train", "digits", "--out", out, *TINY.split(), *words)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert train(out, "--steps", 30) == 0
    return out


def test_train_says_the_likelihood_and_writes_a_run_folder(trained, tmp_path, capsys):
    assert train(tmp_path / "run", "--steps", 3) == 0
    captured = capsys.readouterr()
    assert "bits/dim" in captured.out
    assert str(tmp_path / "run") in captured.out
    names = {path.name for path in trained.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "train.json", "metrics.jsonl", "checkpoint.pt"} <= names


def test_train_again_needs_resume(trained, capsys):
    assert train(trained, "--steps", 30) == 2
    assert "--resume" in capsys.readouterr().err
    assert train(trained, "--steps", 30, "--resume") == 0


def test_config_file_is_below_the_flags(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text('features = 6\nlayers = 1\nsteps = 2\ngrids = 0\nmodel = "gated-pixelcnn"\n')
    assert nextpixel("train", "digits", "--out", tmp_path / "run", "--config", config, "--layers", 2) == 0
    model = nx.load(tmp_path / "run")
    assert (model.options["features"], model.options["layers"]) == (6, 2)
    config.write_text("feetures = 6\n")
    assert nextpixel("train", "digits", "--out", tmp_path / "other", f"--config={config}") == 2
    assert "feetures" in capsys.readouterr().err
    config.write_text("features = = 6\n")
    assert nextpixel("train", "digits", "--out", tmp_path / "other", "--config", config) == 2
    assert "not TOML" in capsys.readouterr().err


def test_environment_is_below_the_flags(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_TRAIN_LAYERS", "1")
    monkeypatch.setenv("NEXTPIXEL_TRAIN_FEATURES", "20")
    assert train(tmp_path / "run", "--steps", 1) == 0
    assert nx.load(tmp_path / "run").options["features"] == 6


def test_evaluate_uses_the_test_split_and_every_image_of_it(trained, capsys):
    assert nextpixel("evaluate", trained, "digits", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    expected = nx.evaluate(nx.load(trained), nx.open_images("digits", split="test"))
    assert found["images"] == 180
    assert found["split"] == "test"
    assert math.isclose(found["nats"], expected.nats, rel_tol=1e-6)
    assert math.isclose(found["bits_per_dim"], found["nats"] / (64 * math.log(2)))
    assert nextpixel("evaluate", trained, "digits", "--split", "all") == 0
    assert "1,797 images" in capsys.readouterr().out


def test_images_that_do_not_fit_are_refused_with_the_remedy(trained, tmp_path, capsys):
    Image.new("L", (8, 8), 7).save(tmp_path / "one.png")
    assert nextpixel("evaluate", trained, tmp_path / "one.png") == 2
    assert "--levels 17" in capsys.readouterr().err
    assert nextpixel("evaluate", trained, tmp_path / "one.png", "--levels", 17) == 0
    Image.new("L", (9, 8), 7).save(tmp_path / "wide.png")
    assert nextpixel("evaluate", trained, tmp_path / "wide.png", "--levels", 17) == 2
    assert "--resize" in capsys.readouterr().err


def test_sample_writes_a_picture_an_array_or_a_folder_and_repeats_by_seed(trained, tmp_path):
    for name in ("a.png", "b.png", "c.npz", "folder"):
        assert nextpixel("sample", trained, "--count", 5, "--seed", 3, "--out", tmp_path / name) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    images = nx.open_images(tmp_path / "c.npz")
    assert (len(images), images.levels, images.image_shape) == (5, 17, (1, 8, 8))
    files = sorted((tmp_path / "folder").iterdir())
    assert len(files) == 5
    expected = np.rint(images[4][0].numpy() * (255 / 16)).astype(np.uint8)
    assert np.array_equal(np.array(Image.open(files[4])), expected)


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--count", "0"], "count"), (["--temperature", "-1"], "temperature"), (["--out", "x.nonsense"], ".nonsense")],
)
def test_sample_refuses_what_makes_no_sense(trained, tmp_path, monkeypatch, words, named, capsys):
    monkeypatch.chdir(tmp_path)
    words = words if "--out" in words else [*words, "--out", "x.png"]
    assert nextpixel("sample", trained, "--seed", 1, *words) == 2
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_complete_keeps_what_is_known(trained, tmp_path, capsys):
    words = ["--known", "top", "--limit", 3, "--count", 2, "--seed", 0, "--split", "test"]
    assert nextpixel("complete", trained, "digits", "--out", tmp_path / "out", *words) == 0
    assert "note" not in capsys.readouterr().err
    originals = nx.open_images("digits", split="test")
    files = sorted(path for path in (tmp_path / "out").iterdir() if path.name != "completions.png")
    assert len(files) == 6
    for file in files:
        number = int(file.stem.split("-")[0])
        expected = np.rint(originals[number][0].numpy() * (255 / 16)).astype(np.uint8)
        assert np.array_equal(np.array(Image.open(file))[:4], expected[:4])
    assert (tmp_path / "out" / "completions.png").exists()


def test_complete_says_when_known_pixels_come_too_late(trained, tmp_path, capsys):
    mask = np.zeros((8, 8), np.uint8)
    mask[:2], mask[5] = 255, 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ["--limit", 1, "--count", 1, "--seed", 0]
    out = tmp_path / "out"
    assert nextpixel("complete", trained, "digits", "--known", tmp_path / "mask.png", "--out", out, *words) == 0
    assert "8 of 24 known pixels come after unknown ones" in capsys.readouterr().err
    Image.new("L", (7, 8)).save(tmp_path / "small.png")
    assert nextpixel("complete", trained, "digits", "--known", tmp_path / "small.png", "--out", out, *words) == 2
    assert nextpixel("complete", trained, "digits", "--known", "middle", "--out", out, *words) == 2
    assert "top, bottom, left, right" in capsys.readouterr().err


def test_check_passes_and_says_so(trained, capsys):
    assert nextpixel("check", trained, "--outputs", 12) == 0
    out = capsys.readouterr().out
    assert "causality holds: 12 of 64" in out
    assert "stepwise equals parallel" in out


def test_check_fails_with_exit_code_1(trained, capsys, monkeypatch):
    monkeypatch.setattr("nextpixel.nn.gated.shift_down", lambda maps: maps)
    assert nextpixel("check", trained, "--outputs", 12) == 1
    captured = capsys.readouterr()
    assert "causality FAILS" in captured.out
    assert "not to be trusted" in captured.err


def test_check_tells_a_blind_spot_from_a_leak(trained, capsys, monkeypatch):
    promised = torch.ones(64, 64, dtype=torch.bool).tril(-1)
    monkeypatch.setattr("nextpixel.families.gated_pixelcnn.GatedPixelCNN.receptive_field", lambda _: promised)
    assert nextpixel("check", trained, "--outputs", 12) == 1
    captured = capsys.readouterr()
    assert "blind spot" in captured.out
    assert "nothing leaks" in captured.err and "not to be trusted" not in captured.err


def test_every_family_goes_through_every_command(family, tmp_path, capsys):
    run_folder = tmp_path / "run"
    words = f"--model {family} --features 12 --layers 2 --steps 3 --grids 0".split()
    assert nextpixel("train", "digits", "--out", run_folder, *words) == 0
    assert nextpixel("evaluate", run_folder, "digits", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 180
    condition = []
    if family == "autoencoder":
        np.save(tmp_path / "code.npy", np.zeros(nx.load(run_folder).condition.size))
        condition = ["--vector", tmp_path / "code.npy"]
    assert nextpixel("sample", run_folder, "--count", 2, "--out", tmp_path / "grid.png", *condition) == 0
    words = [*["--known", "top", "--limit", "1", "--count", "1"], *condition]
    assert nextpixel("complete", run_folder, "digits", "--out", tmp_path / "completed", *words) == 0
    assert nextpixel("check", run_folder, "--outputs", 6) == 0
    assert nextpixel("info", run_folder) == 0
    assert family in capsys.readouterr().out


def test_the_options_of_the_residual_models_are_flags(tmp_path):
    words = ["--model", "row-lstm", "--no-residual", "--skips", "--kernel-size", 5, "--steps", 1]
    assert train(tmp_path / "run", *words) == 0
    options = nx.load(tmp_path / "run").options
    assert (options["residual"], options["skips"], options["kernel_size"]) == (False, True, 5)


def test_info_tells_what_the_model_is(trained, capsys):
    assert nextpixel("info", trained) == 0
    out = capsys.readouterr().out
    assert "gated-pixelcnn" in out
    assert "digits" in out
    assert "30 steps" in out


def test_interrupted_training_exits_with_130_and_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    import signal

    from nextpixel.training import run as run_module

    real = run_module.Run._step

    def stepping(self, progress):
        if self.step == 4 and not self.stop_request.made:
            signal.raise_signal(signal.SIGINT)
        return real(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(run_module.Run, "_step", stepping)
        assert train(tmp_path / "run", "--steps", 8) == 130
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    assert train(tmp_path / "run", "--steps", 8, "--resume") == 0


def test_own_folder_of_colour_images_from_training_to_check(tmp_path, capsys):
    generator = np.random.default_rng(0)
    for split, count in (("train", 12), ("valid", 3), ("test", 4)):
        for index in range(count):
            folder = tmp_path / "images" / split / "ab"[index % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    out = tmp_path / "run"
    words = "--features 6 --layers 2 --first-kernel-size 3 --steps 4 --batch-size 4 --grids 1".split()  # noqa: SIM905
    assert nextpixel("train", tmp_path / "images", "--out", out, *words) == 0
    assert nx.load(out).record.likelihood.images == 3
    assert nextpixel("evaluate", out, tmp_path / "images", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 4
    assert nextpixel("check", out) == 0
    words = "--known top --limit 2 --count 1 --split test".split()  # noqa: SIM905
    assert nextpixel("complete", out, tmp_path / "images", "--out", tmp_path / "completed", *words) == 0
    assert (tmp_path / "completed" / "test_a_0-0.png").exists()


def test_other_commands_read_images_as_training_did(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index, size in enumerate([(9, 11), (12, 10), (8, 8), (10, 10)]):
        Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    out = tmp_path / "run"
    words = ["--resize", "4x4", "--mode", "grey", "--features", 6, "--layers", 1, "--steps", 2, "--grids", 0]
    assert nextpixel("train", folder, "--out", out, *words) == 0
    assert nextpixel("evaluate", out, folder, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 4
    assert nextpixel("complete", out, folder, "--known", "top", "--out", tmp_path / "done", "--count", 1) == 0


def test_a_run_does_not_go_where_other_files_are(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes")
    assert train(tmp_path / "mine", "--steps", 1) == 2
    assert "not a run's" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
    Image.new("L", (8, 8)).save(tmp_path / "mine" / "a.png")
    assert nextpixel("train", tmp_path / "mine", "--out", tmp_path / "mine" / "run") == 2
    assert "lies inside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "named"),
    [("[train]\nsteps = 2\n", "section"), ("steps = [1]\n", "1"), ("features = -6\n", "features")],
)
def test_a_config_file_is_read_strictly(tmp_path, capsys, text, named):
    (tmp_path / "run.toml").write_text(text)
    assert nextpixel("train", "digits", "--out", tmp_path / "run", "--config", tmp_path / "run.toml") == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--columns", "-1"], "columns"),
        (["--scale", "0"], "scale"),
        (["--seed", "99999999999999999999"], "--seed"),
        (["--out", "full"], "holds files"),
        (["--count", "9000000"], "9,000,000 images in one picture"),
    ],
)
def test_sample_checks_everything_before_it_starts(trained, tmp_path, monkeypatch, capsys, words, named):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nx.ImageModel, "sample", None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.txt").write_text("")
    words = words if "--out" in words else [*words, "--out", "x.png"]
    assert nextpixel("sample", trained, *words) == 2
    assert named in capsys.readouterr().err


def test_completions_of_files_with_equal_stems_are_all_kept(trained, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("0.png", "0.bmp"):
        Image.new("L", (8, 8), 7).save(folder / name)
    words = ["--known", "top", "--count", 2, "--levels", 17, "--out", tmp_path / "out"]
    assert nextpixel("complete", trained, folder, *words) == 0
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_masks_that_are_not_black_and_white_are_refused(trained, tmp_path, capsys):
    Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "deep.png")
    for name, named in (("clear.png", "alpha"), ("deep.png", "deep.png")):
        words = ["--known", tmp_path / name, "--out", tmp_path / "out"]
        assert nextpixel("complete", trained, "digits", *words) == 2
        assert named in capsys.readouterr().err


@pytest.mark.parametrize(("shape", "checked"), [((1, 4, 5), 20), ((3, 20, 20), 256)])
def test_check_looks_at_all_outputs_of_small_images_and_at_some_of_large_ones(
    shape, checked, tmp_path, monkeypatch, capsys
):
    """All 12,288 of an image of 3 x 64 x 64 would take many minutes."""
    tiny("gated-pixelcnn", shape, 5, default_condition=False).save(tmp_path / "model")
    looked_at = []

    def look(model, *, outputs, advance):
        looked_at.append(outputs or math.prod(model.image_shape))
        return check_causality(model, outputs=2, advance=advance)

    monkeypatch.setattr("nextpixel.verify.check_causality", look)
    assert nextpixel("check", tmp_path / "model") == 0
    assert looked_at == [checked]
    told = capsys.readouterr().out
    assert ("looking at 256 of 1,200 outputs; --outputs 1200 looks at all" in told) == (checked == 256)
