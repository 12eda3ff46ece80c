"""Conditional models as a user trains and asks them."""

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run


def nextpixel(*words):
    return run([str(word) for word in words])


QUICK = "--features 6 --layers 2 --batch-size 8 --steps 4 --grids 1 --grid-images 2 --validations 1".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of three classes, with embeddings beside them."""
    folder = tmp_path_factory.mktemp("data") / "pets"
    random = np.random.default_rng(0)
    names = []
    for kind in ("cat", "dog", "owl"):
        (folder / kind).mkdir(parents=True)
        for index in range(8):
            names.append(f"{kind}/{index}.png")
            Image.fromarray(random.integers(0, 2, (5, 4)).astype(np.uint8) * 255).save(folder / names[-1])
    np.savez(folder / "embeddings.npz", vectors=random.normal(size=(24, 3)), names=names)
    return folder


@pytest.fixture(scope="module")
def by_label(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "labels"
    assert nextpixel("train", pets, "--levels", 2, "--condition", "labels", "--out", out, *QUICK) == 0
    return out


@pytest.fixture(scope="module")
def by_vector(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "vectors"
    assert nextpixel("train", pets, "--levels", 2, "--condition", "vectors", "--out", out, *QUICK) == 0
    return out


@pytest.fixture(scope="module")
def coder(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "codes"
    words = ["--model", "autoencoder", "--code-size", 3]
    assert nextpixel("train", pets, "--levels", 2, *words, "--out", out, *QUICK) == 0
    return out


def test_class_folders_become_the_classes_of_the_model(by_label, capsys):
    assert nx.load(by_label).condition == nx.Labels(3, ("cat", "dog", "owl"))
    assert nextpixel("info", by_label) == 0
    assert "0 cat, 1 dog, 2 owl" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("word", ["owl", "2"])
def test_a_label_is_a_name_or_a_number(by_label, word, tmp_path):
    out = tmp_path / "a.npz"
    assert nextpixel("sample", by_label, "--label", word, "--count", 3, "--seed", 1, "--out", out) == 0
    images = nx.open_images(out)
    assert images.labels.tolist() == [2, 2, 2] and images.levels == 2


def test_all_is_a_row_for_each_class(by_label, tmp_path):
    words = ["--label", "all", "--count", 4, "--seed", 1]
    assert nextpixel("sample", by_label, *words, "--out", tmp_path / "a.npz") == 0
    assert nx.open_images(tmp_path / "a.npz").labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert nextpixel("sample", by_label, *words, "--scale", 1, "--out", tmp_path / "a.png") == 0
    assert Image.open(tmp_path / "a.png").size == (4 * 5 + 1, 3 * 6 + 1)
    assert nextpixel("sample", by_label, "--label", "dog", "--label", "cat", "--out", tmp_path / "b.npz") == 0
    assert nx.open_images(tmp_path / "b.npz").labels.tolist() == [1] * 10 + [0] * 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs --label: one of its classes, 0 cat, 1 dog, 2 owl, or all"),
        (["--label", "emu"], "no class 'emu'; the classes are 0 cat, 1 dog, 2 owl"),
        (["--label", "3"], "no class '3'"),
        (["--vector", "x.npy"], "takes no vectors"),
        (["--label", "cat", "--show-scales"], "needs a multiscale model; this is a gated-pixelcnn"),
    ],
)
def test_what_a_model_of_classes_cannot_do_is_refused(by_label, words, message, tmp_path, capsys):
    assert nextpixel("sample", by_label, "--out", tmp_path / "a.png", *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["--label", "all"], ["--label", "cat", "--label", "dog"]])
def test_pictures_are_compressed_as_of_one_class(by_label, words, tmp_path, capsys):
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "a.png")
    assert nextpixel("compress", by_label, tmp_path / "a.png", "--out", tmp_path / "a.npx", *words) == 2
    said = capsys.readouterr().err
    assert "or all" not in said and ("0 cat, 1 dog, 2 owl" in said or "give one --label" in said)


def test_images_are_evaluated_and_completed_with_their_own_labels(by_label, pets, tmp_path, capsys):
    assert nextpixel("evaluate", by_label, pets) == 0
    model, images = nx.load(by_label), nx.open_images(pets, levels=2)
    assert str(nx.evaluate(model, images)) in capsys.readouterr().out
    assert nextpixel("complete", by_label, pets, "--known", "top", "--limit", 2, "--out", tmp_path / "a") == 0
    words = ["--known", "top", "--limit", 2, "--label", "owl", "--out", tmp_path / "b"]
    assert nextpixel("complete", by_label, pets, *words) == 0
    assert nextpixel("complete", by_label, pets, *words[:-1], tmp_path / "c", "--label", "cat") == 2
    assert "give one --label, or one vector" in capsys.readouterr().err
    bare = tmp_path / "bare.npz"
    np.savez(bare, images=np.zeros((2, 5, 4), np.uint8))
    assert nextpixel("evaluate", by_label, bare) == 2
    assert "needs one of its classes for each: 0 cat" in capsys.readouterr().err
    assert nextpixel("complete", by_label, bare, *words[:-1], tmp_path / "d") == 0


def test_the_run_is_resumed_with_the_same_classes_only(by_label, pets, capsys):
    words = ["--levels", 2, "--out", by_label, *QUICK, "--resume"]
    assert nextpixel("train", pets, "--condition", "labels", *words) == 0
    assert nextpixel("train", pets, *words) == 2
    assert "condition" in capsys.readouterr().err


def test_vectors_lie_beside_the_images_or_are_named(by_vector, pets, tmp_path, capsys):
    model = nx.load(by_vector)
    assert model.condition == nx.Vector(3)
    assert float(model.conditioning.standardise["vector"].deviation.sub(1).abs().max()) > 0
    assert nextpixel("evaluate", by_vector, pets) == 0
    bare = tmp_path / "bare.npz"
    np.savez(bare, images=np.zeros((2, 5, 4), np.uint8))
    assert nextpixel("evaluate", by_vector, bare) == 2
    assert "--vectors" in capsys.readouterr().err
    np.save(tmp_path / "v.npy", np.zeros((2, 3)))
    assert nextpixel("evaluate", by_vector, bare, "--vectors", tmp_path / "v.npy") == 0


def test_one_vector_several_or_a_way_between_two(by_vector, tmp_path, capsys):
    one, other, many = tmp_path / "one.npy", tmp_path / "other.npy", tmp_path / "many.npz"
    np.save(one, np.full(3, 4.0))
    np.save(other, np.full(3, -4.0))
    np.savez(many, vectors=np.eye(3))
    for words, count in (
        (["--vector", one], 64),
        (["--vector", many, "--count", 2], 6),
        (["--vector", one, "--to", other], 10),
    ):
        assert nextpixel("sample", by_vector, *words, "--out", tmp_path / f"{count}.npz") == 0
        assert len(nx.open_images(tmp_path / f"{count}.npz")) == count
    assert nextpixel("sample", by_vector, "--out", tmp_path / "a.png") == 2
    assert "needs --vector: a file of 3 numbers" in capsys.readouterr().err
    words = ["--known", "top", "--vector", one, "--to", other, "--out", tmp_path / "completed"]
    assert nextpixel("complete", by_vector, tmp_path / "10.npz", *words) == 2
    assert "which only sample does; leave it out" in capsys.readouterr().err
    np.save(one, np.zeros(5))
    assert nextpixel("sample", by_vector, "--vector", one, "--out", tmp_path / "a.png") == 2
    assert "has vectors of 5 numbers, this model takes 3" in capsys.readouterr().err


def test_labels_and_vectors_together(pets, tmp_path):
    words = ["--condition", "labels", "--condition", "vectors", "--out", tmp_path / "run"]
    assert nextpixel("train", pets, "--levels", 2, *words, *QUICK) == 0
    np.savez(tmp_path / "v.npz", vectors=np.eye(3)[:2])
    words = ["--label", "all", "--vector", tmp_path / "v.npz", "--count", 2, "--out", tmp_path / "a.npz"]
    assert nextpixel("sample", tmp_path / "run", *words) == 0
    assert nx.open_images(tmp_path / "a.npz").labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_an_unknown_condition_or_missing_labels_are_refused(tmp_path, capsys):
    bare = tmp_path / "bare.npz"
    np.savez(bare, images=np.zeros((20, 5, 4), np.uint8))
    assert nextpixel("train", bare, "--condition", "labels", "--out", tmp_path / "run", *QUICK) == 2
    assert "bare.npz has no labels; sort its images into one folder a class" in capsys.readouterr().err
    assert nextpixel("train", bare, "--condition", "colours", "--out", tmp_path / "run", *QUICK) == 2
    assert "labels" in capsys.readouterr().err
    words = ["--valid-vectors", bare, "--out", tmp_path / "run"]
    assert nextpixel("train", bare, *words, *QUICK) == 2
    assert "--valid" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_reconstruct_shows_originals_draws_and_the_plain_autoencoder(coder, pets, tmp_path, capsys):
    words = ["--count", 2, "--limit", 3, "--seed", 1, "--out", tmp_path / "a.png"]
    assert nextpixel("reconstruct", coder, pets, *words) == 0
    out = capsys.readouterr().out
    assert "PixelCNN autoencoder: " in out and "squared error: " in out
    # Three rows of the original, two draws and the squared error's; images are 5 high and 4 wide.
    width, height = Image.open(tmp_path / "a.png").size
    assert width / 4 / 5 == pytest.approx(height / 3 / 6, rel=0.1)


def test_embed_writes_codes_that_sample_takes(coder, pets, tmp_path, capsys):
    out = tmp_path / "codes.npz"
    assert nextpixel("embed", coder, pets, "--out", out) == 0
    stored = np.load(out)
    images = nx.open_images(pets, levels=2)
    assert np.allclose(stored["vectors"], nx.load(coder).encode(images[:]).detach().numpy(), atol=1e-5)
    assert stored["labels"].tolist() == images.labels.tolist()
    assert stored["label_names"].tolist() == ["cat", "dog", "owl"]
    assert tuple(stored["names"]) == images.names
    assert nextpixel("sample", coder, "--vector", out, "--count", 1, "--out", tmp_path / "a.npz") == 0
    assert len(nx.open_images(tmp_path / "a.npz")) == 24
    assert nx.open_images(pets, vectors=out).vectors.shape == (24, 3)
    assert nextpixel("embed", coder, pets, "--out", tmp_path / "codes.txt") == 2
    assert ".npz" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["embed", "reconstruct"])
def test_a_model_without_codes_is_refused(command, by_label, pets, tmp_path, capsys):
    out = tmp_path / ("a.npz" if command == "embed" else "a.png")
    assert nextpixel(command, by_label, pets, "--out", out) == 2
    assert "gated-pixelcnn, which has no codes" in capsys.readouterr().err


def test_a_multiscale_model_shows_its_scales(tmp_path, capsys):
    words = ["--model", "multiscale", "--scales", 3, "--inner", "pixelcnn", *QUICK]
    assert nextpixel("train", "digits", "--out", tmp_path / "run", *words) == 0
    assert nx.load(tmp_path / "run").strides == [4, 2, 1]
    shown = tmp_path / "scales.png"
    words = ["sample", tmp_path / "run", "--count", 4, "--seed", 1]
    assert nextpixel(*words, "--show-scales", "--out", shown) == 0
    assert Image.open(shown).width > 2.5 * Image.open(shown).height
    assert nextpixel(*words, "--show-scales", "--out", tmp_path / "a.npz") == 2
    assert ".png" in capsys.readouterr().err
    assert nextpixel("train", "digits", "--inner", "pixelcnn", "--out", tmp_path / "other", *QUICK) == 2
    assert "no option 'inner'" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_a_trace_shows_images_appear(by_label, ending, tmp_path, capsys):
    trace = tmp_path / f"trace.{ending}"
    words = ["--label", "cat", "--seed", 1, "--out", tmp_path / "a.png"]
    assert nextpixel("sample", by_label, *words, "--count", 4, "--trace", trace) == 0
    with Image.open(trace) as moving:
        assert moving.n_frames == 5
        moving.seek(4)
        last = np.asarray(moving.convert("RGB")).astype(int)
    assert np.abs(last - np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))).max() < 30
    (tmp_path / "a.png").unlink()
    assert nextpixel("sample", by_label, *words, "--trace", tmp_path / "a.mp4") == 2
    assert ".gif or .webp" in capsys.readouterr().err
    assert nextpixel("sample", by_label, *words, "--count", 257, "--trace", trace) == 2
    assert "--trace shows at most 256" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_a_model_may_begin_at_another_side(tmp_path, capsys):
    run_folder = tmp_path / "run"
    assert nextpixel("train", "digits", "--model", "pixelcnn", "--order", "left", "--out", run_folder, *QUICK) == 0
    model = nx.load(run_folder)
    assert (model.family, model.options["inner"], model.options["order"]) == ("turned", "pixelcnn", "left")
    words = ["--limit", 2, "--count", 2, "--seed", 1]
    assert nextpixel("complete", run_folder, "digits", "--known", "left", *words, "--out", tmp_path / "a") == 0
    assert "cannot guide" not in capsys.readouterr().err
    assert nextpixel("complete", run_folder, "digits", "--known", "top", *words, "--out", tmp_path / "b") == 0
    assert "--candidates, or train with --order" in " ".join(capsys.readouterr().err.split())
    words += ["--candidates", 3, "--out", tmp_path / "c"]
    assert nextpixel("complete", run_folder, "digits", "--known", "top", *words) == 0
    assert "of 3 candidates, " in capsys.readouterr().out


def test_draws_may_be_tamed(by_label, tmp_path, capsys):
    words = ["sample", by_label, "--label", "cat", "--count", 3, "--out"]
    assert nextpixel(*words, tmp_path / "a.npz", "--top-k", 1) == 0
    images = nx.open_images(tmp_path / "a.npz")[:]
    assert (images == images[:1]).all()
    assert nextpixel(*words, tmp_path / "b.npz", "--top-p", 0.9, "--seed", 1) == 0
    assert nextpixel(*words, tmp_path / "c.npz", "--top-p", 1.5) == 2
    assert "top_p" in capsys.readouterr().err
