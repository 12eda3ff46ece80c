import functools
import math
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import OPTIONS, noise, sharper, tiny
from nextpixel.codec.container import read, write
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.codec.images import shares_of
from nextpixel.engines.layout import lay_out
from nextpixel.errors import DataError, InputError, ModelError

MODELS = {}


def model_of(family="gated-pixelcnn", shape=(1, 4, 5), levels=256, **options):
    """The same model every time, made once."""
    key = (family, shape, levels, str(options))
    if key not in MODELS:
        MODELS[key] = sharper(tiny(family, shape, levels, default_condition=False, **options), 1.0).eval()
    return MODELS[key]


def back_and_forth(model, images, *condition):
    data = nx.compress(model, images, *condition)
    found = nx.decompress(model, data)
    one_shape = isinstance(images, torch.Tensor)
    assert isinstance(found, torch.Tensor) or not one_shape or not len(images)
    assert len(found) == len(images)
    for before, after in zip(images, found, strict=True):
        assert after.dtype == torch.uint8 and torch.equal(after, before.to(torch.uint8))
    return data


pictures = st.tuples(
    st.integers(1, 4), st.integers(1, 11), st.integers(1, 11), st.sampled_from(["noise", "white", "black", "ramp"])
)


def picture(channels, height, width, kind, levels, seed):
    if kind == "noise":
        return torch.randint(levels, (channels, height, width), generator=torch.Generator().manual_seed(seed))
    if kind == "ramp":
        return (torch.arange(channels * height * width) % levels).view(channels, height, width)
    return torch.full((channels, height, width), levels - 1 if kind == "white" else 0)


@settings(max_examples=80, deadline=None, database=None)
@given(
    family=st.sampled_from(["gated-pixelcnn", "pixelcnn", "multiscale"]),
    shape=st.sampled_from([(1, 4, 5), (3, 3, 4)]),
    levels=st.sampled_from([2, 5, 256]),
    specification=st.lists(pictures, min_size=7, max_size=12),
    seed=st.integers(0, 99),
)
def test_every_picture_comes_back(family, shape, levels, specification, seed):
    """Hundreds of pictures of any size, with and without tiles, planes and deflated pixels."""
    model = model_of(family, shape, levels)
    back_and_forth(model, [picture(*each, levels, seed) for each in specification])


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 9, 7), (1, 1, 1), (4, 2, 2)])
def test_one_image_stays_one_image_and_a_batch_a_batch(shape):
    model = model_of()
    image = torch.randint(256, shape, dtype=torch.uint8)
    assert torch.equal(nx.decompress(model, nx.compress(model, image)), image)
    batch = nx.decompress(model, nx.compress(model, image[None]))
    assert torch.equal(batch, image[None])
    assert nx.decompress(model, nx.compress(model, image[None][:0])) == []


@pytest.mark.parametrize("lanes", [1, 2, 5, None])
def test_one_image_can_be_had_alone(lanes):
    model = model_of()
    images = [
        picture(c, h, w, "ramp" if h > 3 else "noise", 256, h) for c, h, w in [(1, 9, 7), (3, 2, 2), (1, 4, 5)] * 3
    ]
    images += list(model.sample(4, generator=torch.Generator().manual_seed(0)))
    data = nx.compress(model, images, lanes=lanes)
    for number, image in enumerate(images):
        assert torch.equal(nx.decompress(model, data, only=number), image.to(torch.uint8))
    with pytest.raises(InputError, match="no image 13; it has 13, counted from 0"):
        nx.decompress(model, data, only=13)
    with pytest.raises(InputError, match="no image 0; it has 0"):
        nx.decompress(model, nx.compress(model, []), only=0)


def test_arrays_are_as_good_as_tensors_and_the_mode_of_the_model_does_not_matter():
    model = model_of(dropout=0.5)
    images = noise(model, 3)
    expected = nx.compress(model, images)
    for same in (
        images.numpy(),
        list(images),
        [each.numpy() for each in images],
        images.long(),
        images.flip(3).flip(3),
    ):
        assert nx.compress(model, same) == expected
    assert torch.equal(nx.decompress(model, nx.compress(model, images[0].numpy())), images[0])
    before = {name: each.clone() for name, each in model.state_dict().items()}
    model.train()
    assert nx.compress(model, images) == expected
    assert model.training and torch.equal(nx.decompress(model, expected), images)
    model.eval()
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_of_another_precision_compresses_too(dtype):
    model = sharper(tiny("gated-pixelcnn", (1, 4, 5), 256)).to(dtype).eval()
    back_and_forth(model, noise(model, 4))


@pytest.mark.parametrize("way", ["precision", "mkldnn", "autocast"])
def test_reduced_precision_around_it_ruins_no_file(way):
    """Wide enough for the products that libraries compute from rounded inputs where they may."""
    model = model_of(shape=(1, 12, 12), features=48)
    images = model.sample(6, generator=torch.Generator().manual_seed(0))
    data = nx.compress(model, images)
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    try:
        if way == "precision":
            torch.set_float32_matmul_precision("medium")
        elif way == "mkldnn":
            matmul.fp32_precision = "bf16"
        chosen = matmul.fp32_precision
        with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
            within = nx.compress(model, images)
            assert torch.equal(nx.decompress(model, data), images)
            assert torch.equal(nx.decompress(model, within), images)
        assert matmul.fp32_precision == chosen
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision = before
    assert torch.equal(nx.decompress(model, within), images)


@pytest.mark.parametrize("names", [["a"], ["a", "b\0c", "d"], ["a", "b", "\udc80"], ["a"] * 4])
def test_names_that_could_not_be_read_back_are_refused(names):
    model = model_of()
    with pytest.raises(InputError, match="name"):
        nx.compress(model, noise(model, 3), names=names)
    assert nx.decompress(model, nx.compress(model, noise(model, 3)[:0], names=[])) == []


def test_lanes_cost_some_bytes_each():
    model = model_of()
    images = model.sample(40, generator=torch.Generator().manual_seed(0))
    few, many = (len(nx.compress(model, images, lanes=lanes)) for lanes in (1, 40))
    assert few < many <= few + 40 * 8
    with pytest.raises(InputError, match="lanes"):
        nx.compress(model, images, lanes=0)


def test_labels_travel_with_the_images():
    model = model_of(condition=nx.Labels(3))
    images = model.sample(9, torch.arange(9) % 3, generator=torch.Generator().manual_seed(0))
    own = back_and_forth(model, images, torch.arange(9) % 3)
    back_and_forth(model, images, 1)
    assert read(own).labels == [0, 1, 2] * 3
    with pytest.raises(InputError, match="needs a condition"):
        nx.compress(model, images)
    with pytest.raises(InputError, match="no class 3"):
        nx.compress(model, images, 3)


def test_a_set_is_as_good_as_its_images_and_labels(tmp_path):
    images, labels = noise(model_of(), 4), torch.tensor([2, 0, 1, 1])
    np.savez(tmp_path / "data.npz", images=images.movedim(1, -1).numpy(), labels=labels.numpy())
    of_set = nx.open_images(tmp_path / "data.npz")
    assert nx.compress(model_of(), of_set) == nx.compress(model_of(), images)
    model = model_of(condition=nx.Labels(3))
    assert nx.compress(model, of_set) == nx.compress(model, images, labels)
    assert nx.compress(model, of_set, 2) == nx.compress(model, images, 2)


def test_names_and_files_travel_too():
    model = model_of()
    data = nx.compress(model, noise(model, 2), names=["a.png", "b/ü.png"], embed={"x": b"\0\1", "y": b""})
    contents = read(data)
    assert contents.names == ["a.png", "b/ü.png"] and contents.model == {"x": b"\0\1", "y": b""}
    assert torch.equal(nx.decompress(model, data), noise(model, 2))


def test_no_image_grows_by_more_than_a_few_bytes():
    model = model_of()
    one, two = (len(nx.compress(model, torch.randint(256, (count, 1, 30, 30)))) for count in (1, 2))
    assert two - one <= 30 * 30 + 12
    assert one <= 30 * 30 + 80


def test_what_the_model_knows_is_small():
    model = model_of()
    images = model.sample(200, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        bits = float(model.bits_per_dim(images).mean()) * images.numel()
    data = nx.compress(model, images)
    assert 8 * len(data) <= bits * 1.006 + 8 * (64 + 0.001 * bits / 8)


def test_another_model_is_told_from_damage():
    model, other = model_of(), model_of(layers=3)
    data = nx.compress(model, noise(model, 3))
    with pytest.raises(DataError, match="compressed with another model"):
        nx.decompress(other, data)


@pytest.mark.parametrize("order", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("inner", ["gated-pixelcnn", "diagonal-bilstm"])
def test_a_model_that_begins_at_another_side_compresses(order, inner):
    """Pictures with tiles of all sizes; what it costs is what the model says."""
    model = sharper(tiny("turned", (1, 4, 5), 4, order=order, inner=inner), 0.7).eval()
    pictures = [noise(model, 1)[0], *torch.randint(4, (2, 1, 7, 8), dtype=torch.uint8)]
    assert all(map(torch.equal, nx.decompress(model, nx.compress(model, pictures)), pictures))
    images = noise(model, 30)
    layout = lay_out(fixed_point(model, calibrate(model, images)))
    with torch.no_grad():
        bits = -model.log_prob(images).sum() / math.log(2)
    assert abs(shares_of(layout, images.numpy()).bits.sum() / float(bits) - 1) < 0.01


@pytest.mark.parametrize("family", ["turned", "multiscale"])
def test_models_made_of_others_compress_by_their_labels(family):
    """What it costs is what the model says: the labels mean the same to its integers."""
    model = sharper(tiny(family, (2, 6, 5), 4, condition=nx.Labels(3), default_condition=False), 1.0).eval()
    labels = torch.arange(30) % 3
    images = model.sample(30, labels, generator=torch.Generator().manual_seed(0))
    back_and_forth(model, images, labels)
    layout = lay_out(fixed_point(model, calibrate(model, images, labels)))
    costs = []
    for classes in (labels, (labels + 1) % 3):
        with torch.no_grad():
            bits = -model.log_prob(images, classes).sum() / math.log(2)
        costs.append(shares_of(layout, images.numpy(), classes.numpy()).bits.sum())
        assert abs(costs[-1] / float(bits) - 1) < 0.005
    assert costs[0] < costs[1]


@pytest.mark.parametrize(("scales", "factor"), [(2, 2), (3, 2), (2, 3), (2, 7)])
@pytest.mark.parametrize("inner", ["gated-pixelcnn", "row-lstm"])
def test_a_model_of_several_scales_compresses(inner, scales, factor):
    """Pictures with tiles of all sizes; each sub-pixel is coded once, and what it costs is what the model says."""
    model = tiny("multiscale", (1, 6, 7), 4, inner=inner, scales=scales, factor=factor)
    model = sharper(model, 0.7).eval()
    images = noise(model, 30)
    pictures = [images[0], *torch.randint(4, (2, 1, 10, 9), dtype=torch.uint8), images[1, :, :1, :1], images[2, :, :3]]
    back_and_forth(model, pictures)
    layout = lay_out(fixed_point(model, calibrate(model, images)))
    shares = shares_of(layout, images.numpy())
    assert shares.starts.shape == (30, 42)
    with torch.no_grad():
        bits = -model.log_prob(images).sum() / math.log(2)
    assert abs(shares.bits.sum() / float(bits) - 1) < 0.005


def test_what_is_done_at_all_scales_adds_up():
    model = tiny("multiscale", (1, 6, 7), 4, scales=3).eval()
    images = [*noise(model, 3), *torch.zeros(2, 1, 10, 9, dtype=torch.uint8)]
    done = []
    data = nx.compress(model, images, advance=done.append)
    assert sum(done) == 3 * 42 + 2 * 90
    done.clear()
    nx.decompress(model, data, advance=done.append)
    assert sum(done) == 3 * 42 + 2 * 90


def test_a_model_of_other_models_is_refused_where_they_cannot_compress():
    for family in ("multiscale", "turned"):
        model = tiny(family, (1, 4, 5), 4, inner="pixelsnail", **OPTIONS["pixelsnail"])
        with pytest.raises(ModelError, match="family pixelsnail cannot compress; train a gated-pixelcnn"):
            nx.compress(model, noise(model, 1))
        vectors = tiny(family, (1, 4, 5), 4, condition=nx.Vector(2))
        with pytest.raises(ModelError, match="without a condition or with labels"):
            nx.compress(vectors, noise(vectors, 1))


@pytest.mark.parametrize("family", ["autoencoder", "pixelsnail"])
def test_models_that_cannot_compress_say_so(family):
    model = tiny(family, (1, 4, 5), 4)
    with pytest.raises(ModelError, match="cannot compress"):
        nx.compress(model, noise(model, 1))
    with pytest.raises(ModelError, match="cannot compress"):
        nx.decompress(model, nx.compress(model_of(levels=4), noise(model, 1)))


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 1, 3, 3),
        torch.zeros(2, 1, 3, 3, dtype=torch.bool),
        torch.zeros(3, 3, dtype=torch.uint8),
        torch.zeros(2, 5, 3, 3, dtype=torch.uint8),
        torch.zeros(2, 1, 0, 3, dtype=torch.uint8),
        torch.full((1, 1, 3, 3), 5),
        torch.full((1, 1, 3, 3), -1),
        [torch.zeros(1, 3, 3, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8)],
    ],
)
def test_images_that_cannot_be_are_refused(images):
    with pytest.raises(InputError):
        nx.compress(model_of(levels=5), images)


def test_progress_adds_up():
    model, steps = model_of(), []
    images = [torch.zeros(1, 9, 7, dtype=torch.uint8), torch.randint(256, (2, 4, 4), dtype=torch.uint8)]
    data = nx.compress(model, images, advance=steps.append)
    assert sum(steps) == 63 + 32
    steps.clear()
    nx.decompress(model, data, advance=steps.append)
    assert sum(steps) == 63 + 32


# Damage -----------------------------------------------------------------------------------------------------------


@functools.cache
def files():
    """A few small files: grey with names, RGB in tiles, labels, deflated pixels."""
    grey, rgb, kinds = model_of(), model_of(shape=(3, 3, 4)), model_of(condition=nx.Labels(3))
    completed = rgb.complete(torch.zeros(1, 3, 3, 4, dtype=torch.uint8), torch.zeros(3, 4) > 0)
    return [
        (grey, nx.compress(grey, grey.sample(2), names=["a.png", "b.png"])),
        (rgb, nx.compress(rgb, completed[0])),
        (kinds, nx.compress(kinds, torch.randint(256, (2, 1, 3, 3)), torch.tensor([2, 0]))),
    ]


def sealed(data):
    """With a checksum that fits, so that what lies behind it is reached."""
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def test_every_flipped_bit_and_every_truncation_is_noticed():
    for model, data in files():
        for bit in range(8 * len(data)):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(DataError):
                nx.decompress(model, bytes(damaged))
        for length in range(len(data)):
            with pytest.raises(DataError):
                nx.decompress(model, data[:length])


@settings(max_examples=150, deadline=None, database=None)
@given(which=st.integers(0, 2), at=st.lists(st.integers(0, 10**6), min_size=1, max_size=4), value=st.integers(0, 255))
def test_damage_behind_a_checksum_that_fits_is_an_error_or_harmless(which, at, value):
    model, data = files()[which]
    damaged = bytearray(data)
    for place in at:
        damaged[8 + place % (len(data) - 12)] = value
    try:
        found = nx.decompress(model, sealed(bytes(damaged)), most_sub_pixels=10_000)
    except DataError:
        return
    assert sum(each.numel() for each in found) <= 10_000


def test_a_file_that_declares_too_much_is_refused_before_memory_is_taken():
    model = model_of()
    contents = read(nx.compress(model, noise(model, 1)))
    contents.shapes = [(4, 2**20, 2**20)]
    with pytest.raises(DataError, match=r"more than \d+ sub-pixels"):
        nx.decompress(model, write(contents))
    contents.shapes = [(1, 0, 5)]
    with pytest.raises(DataError, match="cannot be"):
        nx.decompress(model, write(contents))
    contents.shapes = [(1, 4, 5)] * 2**14
    with pytest.raises(DataError):
        nx.decompress(model, write(contents), most_sub_pixels=1000)
