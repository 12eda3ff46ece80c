"""What decoders of JPEG and WebP give lies on its lattice; a lattice has the colours of its formula, and no others."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.lattice_pictures import picture_on
from nextpixel.coding.colour_lattices import LATTICES, on_lattice, reachable


def decoded(kind, **options):
    """A picture of random colours after a lossy format, int64 `[3, H, W]`."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(file, kind, **options)
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB")).transpose(2, 0, 1).astype(np.int64)


@pytest.mark.parametrize(
    ("lattice", "kind", "options"),
    [
        (1, "JPEG", {"quality": 90}),
        (1, "JPEG", {"quality": 95, "subsampling": 0}),
        (1, "JPEG", {"quality": 30, "progressive": True}),
        (3, "WEBP", {"quality": 80}),
        (3, "WEBP", {"quality": 30}),
    ],
)
def test_what_is_decoded_from_a_lossy_format_lies_on_its_lattice(lattice, kind, options):
    colours = decoded(kind, **options)
    assert on_lattice(lattice, *colours).all()
    # One step of blue aside, nearly nothing does.
    beside = (colours[2] + 1).clip(0, 255)
    assert on_lattice(lattice, colours[0], colours[1], beside).mean() < 0.3


@pytest.mark.parametrize(("lattice", "part"), [(1, 0.2540), (2, 0.1277), (3, 0.1762)])
def test_a_lattice_has_a_part_of_all_colours(lattice, part):
    assert np.unpackbits(reachable(lattice)).mean() == pytest.approx(part, abs=1e-4)


def test_photo_cd_is_what_its_equations_say():
    """Rounded down, in floating point, from Kodak's description of the colour space and the weights of luma."""
    random = np.random.default_rng(1)
    luma, first, second = random.integers(60, 140, (3, 2000))
    light, red, blue = 1.3584 * luma, 1.8215 * (second - 137), 2.2179 * (first - 156)
    green = light - (0.299 * np.floor(red) + 0.114 * np.floor(blue)) / 0.587
    expected = np.floor(np.stack([light + red, green, light + blue])).astype(np.int64)
    near = np.abs(np.stack([light + red, green, light + blue]) - expected)
    inside = ((expected >= 0) & (expected <= 255)).all(axis=0) & (near.min(axis=0) > 1e-9)
    assert inside.mean() > 0.4
    for number in np.flatnonzero(inside)[:300]:
        found = LATTICES[2].formula(int(luma[number]), first[number : number + 1], second[number : number + 1])
        assert [int(values[0]) for values in found] == expected[:, number].tolist()


@pytest.mark.parametrize("lattice", LATTICES)
def test_the_bits_are_those_of_the_formula(lattice):
    luma, first, second = 140, *np.random.default_rng(2).integers(0, 256, (2, 500))
    colours = [values.clip(0, 255) for values in LATTICES[lattice].formula(luma, first, second)]
    assert on_lattice(lattice, *colours).all()
    assert on_lattice(lattice, *picture_on(lattice, 30, 40).astype(np.int64)).all()


@pytest.mark.parametrize("lattice", LATTICES)
def test_nothing_else_is_reached_in_a_small_cube(lattice):
    chromas = np.mgrid[60:230, 60:230].reshape(2, -1)
    reached = set()
    for luma in range(256):
        colours = np.stack(LATTICES[lattice].formula(luma, *chromas))
        inside = ((colours >= 126) & (colours <= 130)).all(axis=0)
        reached |= {tuple(colour) for colour in colours[:, inside].T.tolist()}
    cube = np.mgrid[126:131, 126:131, 126:131].reshape(3, -1)
    assert {tuple(colour) for colour in cube[:, on_lattice(lattice, *cube)].T.tolist()} == reached
    assert 5 < len(reached) < 60
