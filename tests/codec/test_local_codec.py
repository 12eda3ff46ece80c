"""Whole pictures: what goes in comes out, however it is grouped, striped, divided into lanes, and computed."""

import math
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.lattice_pictures import picture_on
from helpers.tiny_models import few, sharper, tiny
from nextpixel.codec import fitting, lattice_shares, local_codec, native, wavefront
from nextpixel.codec.container import DEFLATE, LATTICE_PICTURES, PICTURES, PNG, WEBP, read, write
from nextpixel.codec.local_ranges import measure, raised
from nextpixel.codec.local_twin import LocalTwin, units
from nextpixel.codec.sheets import sheets_of
from nextpixel.codec.wavefront import stripes_of
from nextpixel.coding.colour_lattices import LATTICES, OnLattice
from nextpixel.errors import DataError, InputError, ModelError
from nextpixel.model_files.stored import stored_model


def model_of(channels=3, levels=256, **options):
    return sharper(tiny("local-pixelcnn", (channels, 4, 5), levels, **options), 1.0).eval()


def smooth(*shape, seed=0, levels=256):
    """A picture with neighbours that are alike, and some noise."""
    random = np.random.default_rng(seed)
    channels, height, width = shape
    row, column = np.mgrid[:height, :width]
    waves = np.sin(row / 5 + random.random(channels)[:, None, None]) + np.cos(column / 7)
    noise = random.normal(0, 0.05, shape)
    return torch.from_numpy(np.clip((waves / 4 + 0.5 + noise) * levels, 0, levels - 1).astype(np.uint8))


@pytest.fixture
def by_the_model(monkeypatch):
    """No picture is stored, though untrained models are worse than other formats; and fitting takes few steps."""
    monkeypatch.setattr(local_codec, "shorter", lambda *_, **__: None)
    monkeypatch.setattr(local_codec, "_suits", lambda *_: True)
    efforts = {1: fitting.Effort(0), 2: fitting.Effort(3, pixels=256), 3: fitting.Effort(40, pixels=256)}
    monkeypatch.setattr(fitting, "EFFORTS", efforts)


def same(found, pictures):
    return len(found) == len(pictures) and all(map(torch.equal, found, pictures))


@pytest.mark.usefixtures("by_the_model")
@few
@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 13)), min_size=1, max_size=4),
    channels=st.sampled_from([1, 2, 3, 4]),
    levels=st.sampled_from([2, 17, 256]),
    effort=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_pictures_of_any_size_and_channels_come_back(sizes, channels, levels, effort, seed):
    model = model_of(channels, levels)
    torch.manual_seed(seed)
    pictures = [
        torch.randint(levels, size, dtype=torch.uint8) if k % 2 else smooth(*size, seed=k, levels=levels)
        for k, size in enumerate(sizes)
    ]
    data = nx.compress(model, pictures, effort=effort)
    found = nx.decompress(model, data)
    assert same(list(found), pictures)
    for number in range(len(pictures)):
        assert torch.equal(nx.decompress(model, data, only=number), pictures[number])


@pytest.mark.usefixtures("by_the_model")
@pytest.mark.parametrize(("rows", "group"), [(3, 1), (1, 10**6), (10**6, 50)])
@pytest.mark.parametrize("lanes", [None, 1, 3])
def test_stripes_groups_and_lanes_change_no_pixel(monkeypatch, rows, group, lanes):
    model = model_of()
    pictures = [smooth(3, 9, 14), smooth(1, 5, 6), smooth(4, 7, 3), smooth(3, 1, 1), smooth(3, 14, 9)]
    monkeypatch.setattr(wavefront, "STRIPE_PIXELS", rows * 9)
    monkeypatch.setattr("nextpixel.codec.sheets.GROUP_PIXELS", group)
    monkeypatch.setattr(wavefront, "PIXELS_AT_ONCE", 17)
    assert same(nx.decompress(model, nx.compress(model, pictures, lanes=lanes, effort=1)), pictures)


@pytest.mark.usefixtures("by_the_model")
def test_numpy_and_the_compiled_kernel_decode_the_same_from_the_same_bytes(monkeypatch):
    model = model_of()
    pictures = [smooth(3, 12, 11), smooth(1, 9, 8), torch.from_numpy(picture_on(1, 9, 14))]
    on = OnLattice(1, 9)
    monkeypatch.setattr(local_codec, "_lattice_of", lambda _, __, picture, ___: on if picture.shape[2] == 14 else None)
    data = nx.compress(model, pictures, effort=1, lanes=3)
    assert list(read(data).lattices) == [2]
    pytest.importorskip("numba")
    assert native.kernel() is not None
    # Fewer than the longest wavefront has, and no multiple of the lanes.
    monkeypatch.setattr(wavefront, "PIXELS_AT_ONCE", 4)
    assert same(nx.decompress(model, data), pictures)
    for name in ("kernel", "weighted_kernel"):
        monkeypatch.setattr(wavefront, name, lambda: None)
    monkeypatch.setattr(lattice_shares, "lattice_kernel", lambda: None)
    assert same(nx.decompress(model, data), pictures)


def test_where_nothing_can_be_kept_the_kernel_is_compiled_each_time(monkeypatch):
    numba = pytest.importorskip("numba")
    real, asked = numba.njit, []

    def njit(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")  # as numba says it
        return real(**options)

    monkeypatch.setattr(numba, "njit", njit)
    native.kernel.cache_clear()
    try:
        assert native.kernel() is not None
    finally:
        native.kernel.cache_clear()
    assert asked == [{"cache": True, "nogil": True}, {"nogil": True}]


@pytest.mark.usefixtures("by_the_model")
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("rows", [3, 10**6])
def test_pictures_on_lattices_come_back_in_stripes_and_lanes_among_others(monkeypatch, rows, lanes):
    model = model_of()
    pictures = [
        smooth(4, 7, 9),
        *(torch.from_numpy(picture_on(lattice, 9, 9)) for lattice in LATTICES),
        smooth(1, 5, 6),
    ]
    monkeypatch.setattr(wavefront, "STRIPE_PIXELS", rows * 9)
    ways = iter([OnLattice(1, 0), OnLattice(1, 15), OnLattice(2, 4), OnLattice(3, 8), None])
    monkeypatch.setattr(local_codec, "_lattice_of", lambda *_: next(ways))
    data = nx.compress(model, pictures, lanes=lanes, effort=1)
    assert read(data).version == LATTICE_PICTURES and write(read(data)) == data
    assert same(nx.decompress(model, data), pictures)
    for number, picture in enumerate(pictures):
        assert torch.equal(nx.decompress(model, data, only=number), picture)


@pytest.mark.usefixtures("by_the_model")
def test_a_lattice_for_a_picture_or_a_model_without_is_refused():
    for model, picture in ((model_of(), smooth(2, 5, 6)), (model_of(1), smooth(3, 5, 6)), (model_of(levels=9), None)):
        data = nx.compress(model, smooth(3, 5, 6, levels=9) if picture is None else picture, effort=1)
        contents = read(data)
        contents.version, contents.lattices = LATTICE_PICTURES, {0: OnLattice(1, 3)}
        with pytest.raises(DataError, match="a lattice of colours for a picture or a model without"):
            nx.decompress(model, write(contents))


def test_a_picture_has_the_same_bits_alone_and_among_others():
    model = model_of()
    pictures = [smooth(3, 12, 11), smooth(3, 8, 9, seed=1), smooth(1, 5, 5)]
    twin = LocalTwin(stored_model(model), [8] * 5)
    alone = [list(stripes_of(twin, picture.expand(3, -1, -1).numpy(), len(picture))) for picture in pictures]
    for stripes, picture in zip(alone, pictures, strict=True):
        streams = [stripe.encoded(2) for stripe in stripes]
        (found,) = wavefront.sheets_from(twin, [streams], [tuple(picture.shape[1:])], len(picture))
        assert np.array_equal(found, picture)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_no_bit(threads):
    model = model_of(features=48)
    picture = smooth(3, 30, 40)
    ranges = [9] * 5
    torch.set_num_threads(1)
    expected = [stripe.encoded(4) for stripe in stripes_of(LocalTwin(stored_model(model), ranges), picture.numpy(), 3)]
    torch.set_num_threads(threads)
    assert [
        stripe.encoded(4) for stripe in stripes_of(LocalTwin(stored_model(model), ranges), picture.numpy(), 3)
    ] == expected


@pytest.mark.usefixtures("by_the_model")
def test_the_twin_costs_little_and_the_file_no_more_than_it_says():
    model = nx.load("nextpixel/photographs")
    picture = smooth(3, 40, 50)
    data = nx.compress(model, picture, effort=1)
    assert torch.equal(nx.decompress(model, data), picture)
    float_bits = -model.log_prob(picture[None]).item() / math.log(2)
    canvas = wavefront.Canvas(model.window, model.beyond, 3, [(40, 50)])
    canvas.pixels[:-1] = picture.flatten(1).T
    windows = torch.from_numpy(canvas.windows(np.arange(2000)))
    plain = stored_model(model)
    twin = LocalTwin(plain, raised(plain, measure(model, plain, windows)))
    twin_bits = sum(stripe.bits for stripe in stripes_of(twin, picture.numpy(), 3))
    assert twin_bits == pytest.approx(float_bits, rel=1e-3)
    assert 8 * len(data) < 1.001 * twin_bits + 8 * 64


def test_ranges_are_raised_until_float64_carries_every_sum():
    plain = stored_model(model_of())
    small = [3] * 5
    assert {layer.bias.dtype for block in LocalTwin(plain, small).blocks for layer in block} == {np.dtype(np.float32)}
    ranges = raised(plain, small)
    assert {layer.bias.dtype for block in LocalTwin(plain, ranges).blocks for layer in block} == {np.dtype(np.float64)}
    # No further than they must, and the last activations are read by a sum that always is.
    assert all(before < after <= 12 for before, after in zip(small[:4], ranges[:4], strict=True)) and ranges[4] == 3
    assert raised(plain, ranges) == ranges
    lower = [ranges[0] - 1, *ranges[1:]]
    assert LocalTwin(plain, lower).blocks[0][0].bias.dtype == np.float32


@pytest.mark.usefixtures("by_the_model")
def test_fitting_makes_a_file_smaller():
    model = model_of()
    picture = smooth(3, 60, 80)
    plain, fitted = (nx.compress(model, picture, effort=effort) for effort in (1, 3))
    assert read(fitted).adaptation
    assert len(fitted) < len(plain)
    assert torch.equal(nx.decompress(model, fitted), picture)


def test_what_other_formats_hold_in_less_is_stored():
    model = model_of()
    drawing = torch.full((3, 60, 80), 250, dtype=torch.uint8)
    drawing[:, 20:40] = 3
    clear = torch.cat([smooth(3, 60, 80), torch.zeros(1, 60, 80, dtype=torch.uint8)])
    pictures = [drawing, smooth(3, 60, 80), drawing[:1], drawing[:2], clear]
    data = nx.compress(model, pictures, effort=1)
    contents = read(data)
    assert contents.version == PICTURES
    assert {0, 2, 3} <= set(contents.stored)
    assert set(contents.kinds.values()) <= {PNG, WEBP}
    assert same(nx.decompress(model, data), pictures)


@pytest.mark.parametrize("kind", [PNG, WEBP])
def test_a_stored_picture_of_another_size_is_refused(kind):
    model = model_of()
    drawing = torch.full((3, 60, 80), 250, dtype=torch.uint8)
    contents = read(nx.compress(model, [drawing], effort=1))
    contents.kinds = {0: kind}
    contents.shapes = [(3, 60, 81)]
    with pytest.raises(DataError):
        nx.decompress(model, write(contents))
    contents.shapes, contents.stored = [(3, 60, 80)], {0: b"no picture"}
    with pytest.raises(DataError, match="cannot be decoded"):
        nx.decompress(model, write(contents))


@pytest.mark.usefixtures("by_the_model")
def test_every_flipped_bit_and_truncation_is_noticed():
    model = model_of(features=16)
    data = nx.compress(model, [smooth(3, 6, 7), torch.zeros(1, 5, 5, dtype=torch.uint8)], effort=1, names=["a", "b"])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DataError):
            nx.decompress(model, bytes(damaged))
    for size in range(len(data)):
        with pytest.raises(DataError):
            nx.decompress(model, data[:size])


@pytest.mark.usefixtures("by_the_model")
def test_mutations_with_fitting_checksums_give_errors_of_ours_or_the_pixels():
    model = model_of(features=16)
    pictures = [smooth(3, 9, 8), smooth(1, 5, 5), torch.zeros(3, 30, 30, dtype=torch.uint8)]
    good = read(nx.compress(model, pictures, effort=2))
    data = write(good)
    random = np.random.default_rng(0)
    for _ in range(40):
        body = bytearray(data[:-4])
        body[random.integers(8, len(body))] = random.integers(256)
        mutated = bytes(body) + zlib.crc32(bytes(body)).to_bytes(4, "little")
        try:
            found = nx.decompress(model, mutated, most_sub_pixels=10**6)
        except DataError:
            continue
        assert [picture.shape for picture in found] == [tuple(shape) for shape in read(mutated).shapes]


@pytest.mark.usefixtures("by_the_model")
def test_few_bytes_cannot_stand_for_much_work():
    model = model_of()
    contents = read(nx.compress(model, [smooth(3, 20, 20)], effort=1))
    contents.shapes = [(3, 8000, 8000)]
    contents.blocks = [[b"\1"]] * len(wavefront.stripe_rows(8000, 8000))
    with pytest.raises(DataError, match=r"shorter than its pixels can be|declares more than"):
        nx.decompress(model, write(contents))


def test_a_black_picture_comes_back_though_the_coder_takes_no_byte_for_it():
    """A level whose share begins at 0 leaves the coder's state of 0 as it is."""
    model = sharper(tiny("local-pixelcnn", (3, 4, 5), 256, features=2, layers=1), 1.0).eval()
    picture = torch.zeros(3, 190, 190, dtype=torch.uint8)
    data = nx.compress(model, picture, effort=1)
    assert torch.equal(nx.decompress(model, data), picture)
    assert read(data).stored and len(data) < 2000


def test_tables_exist_for_every_number_of_levels():
    for levels in range(2, 257):
        assert len(units(levels).multiplier) == 18 * (levels - 1) + 1


@pytest.mark.parametrize(
    ("channels", "shape", "expected"),
    [
        (3, (3, 2, 2), [(0, 1, 2)]),
        (3, (4, 2, 2), [(0, 1, 2), (3,)]),
        (3, (1, 2, 2), [(0,)]),
        (3, (2, 2, 2), [(0,), (1,)]),
        (1, (3, 2, 2), [(0,), (1,), (2,)]),
    ],
)
def test_sheets(channels, shape, expected):
    assert [sheet.channels for sheet in sheets_of(channels, 0, shape)] == expected


def test_what_cannot_compress_is_refused():
    picture = smooth(3, 6, 6)
    with pytest.raises(ModelError, match="logistic mixture"):
        nx.compress(model_of(head="softmax"), picture)
    conditional = tiny("local-pixelcnn", (3, 4, 5), 256, default_condition=False, condition=nx.Labels(3))
    with pytest.raises(ModelError, match="without a condition"):
        nx.compress(conditional, picture)
    with pytest.raises(InputError, match="effort must be an integer from 1 to 9"):
        nx.compress(model_of(), picture, effort=10)
    gated = tiny("gated-pixelcnn", (3, 6, 6), 256)
    with pytest.raises(InputError, match="effort is for a local-pixelcnn"):
        nx.compress(gated, picture, effort=3)


def test_a_file_of_another_version_than_the_model_makes_is_refused():
    model, gated = model_of(), tiny("gated-pixelcnn", (3, 6, 6), 256, default_condition=False).eval()
    for one, other in ((model, gated), (gated, model)):
        contents, other_contents = (read(nx.compress(each, smooth(3, 6, 6))) for each in (one, other))
        contents.fingerprint = other_contents.fingerprint
        with pytest.raises(DataError, match="does not make files of version"):
            nx.decompress(other, write(contents))


def test_foreign_layers_are_refused():
    model = model_of()
    model.blocks[1].activation = torch.nn.ELU()
    with pytest.raises(ModelError, match="activation"):
        nx.compress(model, smooth(3, 6, 6))


def test_deflated_where_levels_are_no_greys():
    model = model_of(3, 4)
    flat = torch.zeros(3, 40, 40, dtype=torch.uint8)
    contents = read(nx.compress(model, flat, effort=1))
    assert contents.kinds.get(0, DEFLATE) == DEFLATE
    assert torch.equal(nx.decompress(model, write(contents)), flat)
