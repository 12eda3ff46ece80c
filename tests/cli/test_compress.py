"""`nextpixel compress` and `decompress` as a user runs them."""

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run
from nextpixel.codec.container import read, write

QUICK = "--features 6 --layers 2 --batch-size 8 --steps 4 --grids 0 --validations 1".split()  # noqa: SIM905


def nextpixel(*words):
    return run([str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of grey images of 8 x 8 with 256 levels."""
    folder = tmp_path_factory.mktemp("runs")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8)).astype(np.uint8)
    np.savez(folder / "data.npz", images=pixels)
    assert nextpixel("train", folder / "data.npz", "--out", folder / "run", *QUICK) == 0
    return folder / "run"


@pytest.fixture
def pictures(tmp_path):
    """Pictures of several sizes, modes and formats."""
    random = np.random.default_rng(1)
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    for name, shape in {"a.png": (9, 7), "b.webp": (20, 33, 3), "deep/c.bmp": (1, 1), "a.bmp": (8, 8)}.items():
        array = random.integers(0, 256, shape).astype(np.uint8)
        Image.fromarray(array).save(folder / name, lossless=True)
    Image.fromarray(random.integers(0, 256, (5, 6, 4)).astype(np.uint8)).save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "photo.jpg", exif=exif)
    return folder


def same_pixels(first, second):
    one, two = Image.open(first), Image.open(second)
    return one.mode == two.mode and np.array_equal(np.asarray(one), np.asarray(two))


def test_pictures_come_back_as_png_files_of_their_names(trained, pictures, tmp_path, capsys):
    out = tmp_path / "all.npx"
    assert nextpixel("compress", trained, pictures, "--out", out) == 0
    captured = capsys.readouterr()
    assert "6 pictures" in captured.out and "bits/dim" in captured.out and "PNG" in captured.out
    assert "metadata" in captured.err and " 1 files" in captured.err
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "back") == 0
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*.png")}
    assert found == {"a.png", "a.bmp.png", "b.png", "deep/c.png", "alpha.png", "photo.png"}
    for name, original in {
        "a.png": "a.png",
        "a.bmp.png": "a.bmp",
        "b.png": "b.webp",
        "deep/c.png": "deep/c.bmp",
        "alpha.png": "alpha.png",
        "photo.png": "photo.jpg",
    }.items():
        assert same_pixels(tmp_path / "back" / name, pictures / original)


def test_one_picture_can_be_had_alone(trained, pictures, tmp_path, capsys):
    out = tmp_path / "all.npx"
    assert nextpixel("compress", trained, pictures, "--out", out, "--no-compare", "--lanes", 2) == 0
    assert nextpixel("decompress", trained, out, "--only", "deep/c.png", "--out", tmp_path / "back") == 0
    assert [path.name for path in (tmp_path / "back").rglob("*.png")] == ["c.png"]
    assert same_pixels(tmp_path / "back" / "deep" / "c.png", pictures / "deep" / "c.bmp")
    assert nextpixel("decompress", trained, out, "--only", "d.png", "--out", tmp_path / "back2") == 2
    assert "no picture 'd.png' in the file; it has a.bmp.png, a.png" in capsys.readouterr().err


def test_a_model_may_come_along(trained, pictures, tmp_path, capsys):
    out = tmp_path / "all.npx"
    assert nextpixel("compress", trained, pictures / "a.png", "--embed-model", "--out", out) == 0
    assert "without the model" in capsys.readouterr().out
    assert nextpixel("decompress", out, "--out", tmp_path / "back") == 0
    assert same_pixels(tmp_path / "back" / "a.png", pictures / "a.png")
    assert nextpixel("compress", trained, pictures / "a.png", "--out", tmp_path / "b.npx", "--no-compare") == 0
    assert nextpixel("decompress", tmp_path / "b.npx", "--out", tmp_path / "back2") == 2
    assert "no model in it" in capsys.readouterr().err


def test_images_of_few_levels_are_taken_as_they_are_shown(tmp_path, capsys):
    assert nextpixel("train", "digits", "--out", tmp_path / "run", *QUICK) == 0
    assert nextpixel("sample", tmp_path / "run", "--count", 3, "--out", tmp_path / "drawn") == 0
    out = tmp_path / "a.npx"
    assert nextpixel("compress", tmp_path / "run", tmp_path / "drawn", "--out", out) == 0
    assert nextpixel("decompress", tmp_path / "run", out, "--out", tmp_path / "back") == 0
    for path in (tmp_path / "drawn").iterdir():
        assert same_pixels(path, tmp_path / "back" / path.name)
    Image.fromarray(np.full((8, 8), 3, np.uint8)).save(tmp_path / "other.png")
    assert nextpixel("compress", tmp_path / "run", tmp_path / "other.png", "--out", tmp_path / "b.npx") == 2
    assert "use a model of 256 levels" in capsys.readouterr().err
    assert not (tmp_path / "b.npx").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.png", "--out", "x.npx"], "missing.png is neither a file nor a folder"),
        (["--out", "x.npx"], "name the pictures"),
        (["broken.png", "--out", "x.npx"], "broken.png"),
        (["broken.png", "--out", "x.zip"], "must end with .npx"),
        (["broken.png", "--label", "3", "--out", "x.npx"], "no classes"),
    ],
)
def test_what_cannot_be_compressed_is_said(trained, tmp_path, monkeypatch, words, message, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    assert nextpixel("compress", trained, *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.npx").exists()


@pytest.mark.parametrize("name", ["../out.png", "/abs.png", "a/../../b.png", "c:\\x.png", "", "a//b.png", "nul\0.png"])
def test_no_name_leads_out_of_the_folder(trained, pictures, tmp_path, name, capsys):
    out = tmp_path / "a.npx"
    assert nextpixel("compress", trained, pictures / "a.png", "--out", out, "--no-compare") == 0
    contents = read(out.read_bytes())
    contents.names = [name]
    out.write_bytes(write(contents))
    before = {path for path in tmp_path.rglob("*") if path.suffix == ".png"}
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "back") == 2
    assert "name" in capsys.readouterr().err
    assert {path for path in tmp_path.rglob("*") if path.suffix == ".png"} == before


def test_nothing_that_is_there_is_written_over(trained, pictures, tmp_path):
    out = tmp_path / "a.npx"
    assert nextpixel("compress", trained, pictures / "a.png", pictures / "a.bmp", "--out", out, "--no-compare") == 0
    folder = tmp_path / "pictures.v1"
    folder.mkdir()
    (folder / "a.png").write_text("precious")
    assert nextpixel("decompress", trained, out, "--out", folder) == 2
    assert (folder / "a.png").read_text() == "precious"
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "x").write_text("")
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "result.v2") == 0
    contents = read(out.read_bytes())
    contents.names = ["a", "a.png"]
    out.write_bytes(write(contents))
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "twice") == 2
    assert not (tmp_path / "twice").exists()


def test_damage_and_the_wrong_model_are_told_apart(trained, pictures, tmp_path, capsys):
    out = tmp_path / "a.npx"
    assert nextpixel("compress", trained, pictures / "a.png", "--out", out, "--no-compare") == 0
    data = out.read_bytes()
    out.write_bytes(data[:-1])
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "back") == 2
    assert "a.npx: the file is damaged" in capsys.readouterr().err
    out.write_bytes(data)
    nx.build("gated-pixelcnn", image_shape=(1, 8, 8), features=6, layers=2).save(tmp_path / "other")
    assert nextpixel("decompress", tmp_path / "other", out, "--out", tmp_path / "back") == 2
    assert "another model" in capsys.readouterr().err
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "back", "--most-megapixels", 0.00001) == 2
    assert "more than 10 sub-pixels" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()
    assert nextpixel("decompress", trained, tmp_path / "none.npx", "--out", tmp_path / "back") == 2
    assert "none.npx cannot be read" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "full") == 2


def save_photograph(path, **options):
    """Rough surfaces, which JPEG makes much shorter than any lossless way can make what it leaves of them."""
    rough = np.random.default_rng(0).normal(size=(64, 64, 3)).cumsum(axis=0).cumsum(axis=1)
    Image.fromarray((128 + 4 * rough).clip(0, 255).astype(np.uint8)).save(path, quality=40, **options)


def test_files_that_are_shorter_as_they_are_come_back_to_the_byte(trained, pictures, tmp_path, capsys):
    save_photograph(pictures / "deep" / "shot.jpg", comment=b"mine")
    without, out = tmp_path / "pixels.npx", tmp_path / "all.npx"
    assert nextpixel("compress", trained, pictures, "--out", without, "--no-compare") == 0
    assert "--keep-files keeps those as they are that are shorter" in capsys.readouterr().out
    assert nextpixel("compress", trained, pictures, "--out", out, "--no-compare", "--keep-files") == 0
    captured = capsys.readouterr()
    total = sum(path.stat().st_size for path in pictures.rglob("*.*"))
    assert (
        f"the files that were given: {total:,} bytes, {total / out.stat().st_size:.2f} times as large, " in captured.out
    )
    assert "kept as they are" in captured.out.splitlines()[-1]
    assert out.stat().st_size < without.stat().st_size
    assert nextpixel("decompress", trained, out, "--list") == 0
    assert "deep/shot.jpg: 3 x 64 x 64, kept as its file" in capsys.readouterr().out
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "back") == 0
    assert (tmp_path / "back/deep/shot.jpg").read_bytes() == (pictures / "deep/shot.jpg").read_bytes()
    assert same_pixels(tmp_path / "back/a.png", pictures / "a.png")
    assert nextpixel("decompress", trained, out, "--out", tmp_path / "one", "--only", "deep/shot.jpg") == 0
    assert (tmp_path / "one/deep/shot.jpg").read_bytes() == (pictures / "deep/shot.jpg").read_bytes()


def test_a_kept_file_of_another_ending_is_not_written(trained, tmp_path, capsys):
    save_photograph(tmp_path / "shot.jpg")
    out = tmp_path / "all.npx"
    assert nextpixel("compress", trained, tmp_path / "shot.jpg", "--out", out, "--no-compare", "--keep-files") == 0
    contents = read(out.read_bytes())
    assert contents.names == ["shot.jpg"]
    for name in ("shot.sh", ".bashrc", "shot"):
        contents.names = [name]
        out.write_bytes(write(contents))
        assert nextpixel("decompress", trained, out, "--out", tmp_path / "back") == 2
        assert "no ending of a picture" in capsys.readouterr().err and not (tmp_path / "back").exists()


def test_a_model_that_does_not_suit_is_told_beforehand(trained, tmp_path, capsys):
    Image.new("RGB", (60, 60), (3, 4, 5)).save(tmp_path / "flat.png")
    assert nextpixel("compress", trained, tmp_path / "flat.png", "--out", tmp_path / "all.npx", "--no-compare") == 0
    assert "does not suit these pictures: 1 of 1 that were looked at" in capsys.readouterr().err
