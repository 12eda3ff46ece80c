import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.errors import InputError
from nextpixel.rendering.output import write_images


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))


def images(count=11, channels=3, levels=5):
    return torch.randint(levels, (count, channels, 3, 4)).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("levels", [2, 5, 256])
def test_an_array_is_read_back_as_it_was(tmp_path, channels, levels):
    written = images(channels=channels, levels=levels)
    write_images(written, levels, tmp_path / "new" / "out.npz")
    found = nx.open_images(tmp_path / "new" / "out.npz")
    assert found.levels == levels and torch.equal(found[:], written)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_holds_a_picture_for_each_image(tmp_path, channels):
    written = images(channels=channels, levels=256)
    write_images(written, 256, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{index:02d}.png" for index in range(11)]
    assert torch.equal(nx.open_images(tmp_path / "out")[:], written)


@pytest.mark.parametrize(("count", "last"), [(1, "0.png"), (10, "9.png"), (11, "10.png"), (101, "100.png")])
def test_names_sort_as_the_images_do(tmp_path, count, last):
    write_images(images(count), 5, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == count and names[-1] == last and len({len(name) for name in names}) == 1


def test_pictures_in_a_folder_spread_the_levels(tmp_path):
    write_images(torch.arange(3).view(1, 1, 1, 3), 3, tmp_path / "out")
    with Image.open(tmp_path / "out" / "0.png") as found:
        assert np.asarray(found).tolist() == [[0, 128, 255]]


def test_an_ending_makes_one_picture(tmp_path):
    write_images(images(6), 5, tmp_path / "out.png", columns=3, scale=2)
    with Image.open(tmp_path / "out.png") as found:
        assert found.size == (3 * (8 + 1) + 1, 2 * (6 + 1) + 1)


@pytest.mark.parametrize("name", ["out.npz", "out.png", "out"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write_images(images(), 5, tmp_path / "file" / name)
