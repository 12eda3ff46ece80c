import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from helpers.image_makers import encode, few, noise, put
from nextpixel.data import open_images
from nextpixel.errors import DataError


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_are_taken_as_they_are(tmp_path, channels):
    array = noise(3, 4, 5, channels)
    assert np.array_equal(open_images(array)[:].numpy(), array.transpose(0, 3, 1, 2))
    squeezed = array[..., 0] if channels == 1 else array
    put(tmp_path / "set", {f"{i}.png": encode(image) for i, image in enumerate(squeezed)})
    assert np.array_equal(open_images(tmp_path / "set")[:].numpy(), array.transpose(0, 3, 1, 2))


@few
@given(
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([None, "grey", "rgb"]),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_files_and_arrays_are_changed_alike(tmp_path, channels, drop_alpha, mode, height, width):
    array = noise(2, height, width, channels)
    folder = tmp_path / f"{channels}-{height}-{width}"
    squeezed = array[..., 0] if channels == 1 else array
    put(folder, {f"{i}.png": encode(image) for i, image in enumerate(squeezed)})
    wish = {"drop_alpha": drop_alpha, "mode": mode}
    if mode and channels in (2, 4) and not drop_alpha:
        for source in (array, folder):
            with pytest.raises(DataError, match="--drop-alpha"):
                open_images(source, **wish)
        return
    expected = array.transpose(0, 3, 1, 2)
    if drop_alpha and channels in (2, 4):
        expected = expected[:, :-1]
    if mode == "rgb" and expected.shape[1] == 1:
        expected = np.repeat(expected, 3, 1)
    if mode == "grey" and expected.shape[1] == 3:
        luminance = [np.asarray(Image.fromarray(image[..., :3].copy()).convert("L")) for image in array]
        expected = np.stack(luminance)[:, None]
    for source in (array, folder):
        assert np.array_equal(open_images(source, **wish)[:].numpy(), expected)


def test_resizing_crops_the_middle(tmp_path):
    image = noise(20, 9, 3)
    put(tmp_path / "set", {"a.png": encode(image), "b.png": encode(noise(6, 7, 3))})
    images = open_images(tmp_path / "set", resize=(6, 7))
    expected = ImageOps.fit(Image.fromarray(image), (7, 6), Image.Resampling.LANCZOS)
    assert np.array_equal(images[0].numpy().transpose(1, 2, 0), np.asarray(expected))
    assert np.array_equal(images[1].numpy().transpose(1, 2, 0), noise(6, 7, 3))
    assert images.notes == ("1 image cropped and resized to 6x7",)
    assert open_images(tmp_path / "set", resize=(1, 1), mode="grey", levels=4)[:].shape == (2, 1, 1, 1)


def test_only_256_levels_can_be_resized():
    with pytest.raises(DataError, match=r"17 levels.*resize"):
        open_images("digits", resize=(4, 4))


@pytest.mark.parametrize("resize", [(0, 4), (4,), (4, 4, 4), 4, "4x4", (2.0, 2.0), (1 << 20, 1 << 20), (True, True)])
def test_sizes_that_are_none(resize):
    with pytest.raises(DataError, match="resize"):
        open_images(noise(1, 4, 4), resize=resize)


def test_unknown_mode():
    with pytest.raises(DataError, match="'gray'"):
        open_images(noise(1, 4, 4), mode="gray")


def test_mixed_sizes_are_listed_with_the_remedy(tmp_path):
    files = {f"{i}.png": encode(noise(4, 5)) for i in range(3)}
    put(tmp_path / "set", {**files, "z.png": encode(noise(6, 7))})
    with pytest.raises(DataError) as error:
        open_images(tmp_path / "set")
    message = str(error.value)
    assert "3 of 4x5" in message and "1 of 6x7" in message and message.count(". ") == 0
    assert "--resize 4x5" in message and "resize=(4, 5)" in message


def test_mixed_kinds_are_listed_with_the_remedy(tmp_path):
    put(tmp_path / "set", {"a.png": encode(noise(4, 5)), "b.png": encode(noise(4, 5, 3))})
    with pytest.raises(DataError, match=r"1 grey, 1 RGB.*--mode rgb \(mode='rgb'\)"):
        open_images(tmp_path / "set")
    assert open_images(tmp_path / "set", mode="rgb").image_shape == (3, 4, 5)
    assert open_images(tmp_path / "set", mode="grey").image_shape == (1, 4, 5)


def test_mixed_alpha_needs_only_dropping(tmp_path):
    put(tmp_path / "set", {"a.png": encode(noise(4, 5, 3)), "b.png": encode(noise(4, 5, 4))})
    with pytest.raises(DataError, match=r"--drop-alpha \(drop_alpha=True\)") as error:
        open_images(tmp_path / "set")
    assert "--mode" not in str(error.value)
    images = open_images(tmp_path / "set", drop_alpha=True)
    assert images.notes == ("1 image stripped of its alpha channel",)


def test_a_mixed_set_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.ingest.MAX_COUNTED", 3)
    put(tmp_path / "set", {f"{i}.png": encode(noise(1 + i, 5)) for i in range(9)})
    with pytest.raises(DataError, match="among the 4 looked at"):
        open_images(tmp_path / "set")
