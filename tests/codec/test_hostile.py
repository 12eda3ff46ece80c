"""Files that were made to do harm: refused soon, with little memory, and with our errors only."""

import shutil
import threading
import tracemalloc
import zlib

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tampering import tampered
from helpers.tiny_models import noise, seeded, sharper, tiny
from nextpixel.cli.app import run
from nextpixel.codec.container import Contents, deflate, read, varint, write
from nextpixel.codec.fixed_point import calibrate
from nextpixel.codec.wavefront import _decode_front as real_front
from nextpixel.engines.engine import Engine
from nextpixel.errors import DataError, InputError, ModelError

MEGABYTE = 2**20
real_row = Engine.decode_row


@pytest.fixture(scope="module")
def model():
    return sharper(tiny("gated-pixelcnn", (1, 4, 5), 256, default_condition=False), 1.0).eval()


@pytest.fixture
def contents(model) -> Contents:
    return read(nx.compress(model, noise(model, 2)))


def refused(model, data, match, most_megabytes=2, **options):
    """Whether bytes are refused, and at little cost."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=match):
            nx.decompress(model, data, **options)
        assert tracemalloc.get_traced_memory()[1] < most_megabytes * MEGABYTE + 4 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("count", "shape"), [(2**28, (1, 1, 1)), (2**21, (1, 1, 1)), (2**20, (1, 16, 17))])
def test_millions_of_images_in_a_few_bytes(model, contents, count, shape):
    contents.shapes = [shape] * 3
    data = bytearray(write(contents))
    # The run of three images becomes one of very many; three is a varint of one byte.
    at = data.index(bytes([3, *shape]))
    data[at : at + 1] = varint(count)
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "little")
    refused(model, bytes(data), r"declares more than \d+ sub-pixels")


def test_millions_of_tiles_in_a_few_bytes(contents):
    small = sharper(tiny("gated-pixelcnn", (1, 1, 1), 256)).eval()
    data = nx.compress(small, torch.zeros(2, 1, 1, 1, dtype=torch.uint8))
    contents = read(data)
    contents.shapes, contents.stored = [(1, 2**13, 2**13)], {}
    refused(small, write(contents), "for each tile", most_sub_pixels=2**26)
    contents.shapes = [(1, 2**5, 2**5)]
    refused(small, write(contents), "more lanes than tiles|blocks|stream|checksum")


def test_names_that_inflate_to_very_many_or_very_long_ones(model, contents):
    for text in ("\0" * 10**8, "a" * 10**8 + "\0", "a" * 10**4 + "\0b"):
        contents.names = [text]
        refused(model, write(contents), "longer than it may be|names")


def test_names_that_are_no_text(contents):
    contents.names = ["one", "twö"]
    good = write(contents)
    packed = deflate("one\0twö".encode())
    bad = good.replace(packed, deflate("one\0twö".encode("latin-1")).ljust(len(packed), b"\0"))
    assert bad != good
    with pytest.raises(DataError):
        read(bad[:-4] + zlib.crc32(bad[:-4]).to_bytes(4, "little"))


@pytest.mark.parametrize("count", [0, 2])
def test_one_image_that_is_none_or_two(model, count):
    contents = read(nx.compress(model, noise(model, 2)[:count]))
    contents.one_image = True
    refused(model, write(contents), f"holds {count} images and calls them one")


@pytest.mark.parametrize("flag", [16, 128])
def test_flags_of_a_later_version(model, contents, flag):
    data = bytearray(write(contents))
    data[9] |= flag
    refused(model, bytes(data[:-4]) + zlib.crc32(data[:-4]).to_bytes(4, "little"), "upgrade nextpixel")


def test_stored_values_that_the_model_has_not():
    model = sharper(tiny("gated-pixelcnn", (1, 4, 5), 5)).eval()
    contents = read(nx.compress(model, torch.zeros(2, 2, 2, dtype=torch.uint8)))
    contents.shapes, contents.blocks, contents.checksum = [(2, 2, 2)], [], zlib.crc32(bytes([5] * 8))
    contents.stored = {0: deflate(bytes([5] * 8))}
    refused(model, write(contents), "values above 4")


def test_a_stored_image_that_inflates_to_more(model, contents):
    contents.stored = {0: deflate(bytes(10**8))}
    contents.blocks = contents.blocks[:0]
    contents.shapes = [(1, 4, 5)]
    refused(model, write(contents), "longer than it may be")


def test_sides_that_could_not_be_read_back(model):
    with pytest.raises(InputError, match="sides from 1 to 1048576"):
        nx.compress(model, torch.zeros(1, 1, 2**20 + 1, dtype=torch.uint8))


def test_any_array_of_integers_is_compressed(model):
    images = noise(model, 3)
    expected = nx.compress(model, images)
    array = images.numpy()
    for kind in ("u1", "<u2", ">u2", ">i4", "<u4", ">u8", "i8"):
        assert nx.compress(model, array.astype(kind)) == expected
    assert nx.compress(model, np.ascontiguousarray(array[:, :, ::-1])[:, :, ::-1]) == expected
    assert nx.compress(model, torch.from_numpy(array.astype(np.uint16))) == expected
    read_only = array.copy()
    read_only.setflags(write=False)
    assert nx.compress(model, read_only) == expected
    for bad in (array.astype(float), array > 3, array.astype("U3"), array.astype(np.int16) - 256):
        with pytest.raises(InputError):
            nx.compress(model, bad)


def test_weights_without_bound_are_refused():
    wild = tiny("gated-pixelcnn", (1, 4, 5), 256)
    with torch.no_grad():
        for weight in wild.parameters():
            weight.mul_(1e30)
    with pytest.raises(ModelError, match="train it anew"):
        nx.compress(wild, noise(wild, 2))


def test_ranges_are_measured_on_a_part_at_a_time(model, monkeypatch):
    images = noise(model, 30)
    expected = calibrate(model, images)
    monkeypatch.setattr("nextpixel.codec.fixed_point.PIXELS_AT_ONCE", 50)
    assert calibrate(model, images) == expected


def test_threads_do_not_undo_each_others_precision():
    """Under reduced precision, while others begin and end all the time."""
    model = sharper(tiny("gated-pixelcnn", (1, 12, 12), 256, features=48), 1.0).eval()
    images = model.sample(4, generator=seeded())
    data = nx.compress(model, images)
    found: list[bool] = []

    def work(rounds: int) -> None:
        found.extend(
            nx.compress(model, images) == data and torch.equal(nx.decompress(model, data), images)
            for _ in range(rounds)
        )

    torch.set_float32_matmul_precision("medium")
    try:
        threads = [threading.Thread(target=work, args=(rounds,)) for rounds in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found == [True] * 10


# Models in files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelcnn", "diagonal-bilstm", "multiscale", "autoencoder"])
@pytest.mark.parametrize(
    "change",
    [
        {"options": {"layers": 10**9}},
        {"options": {"layers": 1000}},
        {"options": {"features": 10**9}},
        {"options": {"features": 2**16}},
        {"options": {"first_kernel_size": 10**9 + 1}},
        {"image_shape": [1, 10**18, 10**18]},
        {"image_shape": [1, 2**61 - 1, 1]},
        {"condition": {"kind": "Labels", "count": 10**12, "names": None}},
        {"condition": {"kind": "Map", "channels": 10**9, "size": [10**9, 1]}},
    ],
)
def test_a_description_of_a_huge_model_is_not_believed(tmp_path, family, change):
    tiny(family, (1, 8, 8), 4, default_condition=False).save(tmp_path)

    def change_description(description):
        for name, value in change.items():
            description[name] = description[name] | value if name == "options" else value

    tampered(tmp_path, change_description)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            nx.load(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 100 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e5m2])
def test_weights_that_are_no_floats_are_refused(tmp_path, dtype):
    tiny("gated-pixelcnn").save(tmp_path)
    try:
        tampered(tmp_path, change_weights=lambda _, each: torch.zeros(each.shape).to(dtype))
    except KeyError:
        pytest.skip("this version of safetensors writes no such numbers")
    with pytest.raises(ModelError, match=r"not of one kind of floats|damaged"):
        nx.load(tmp_path)


def test_weights_of_several_kinds_are_refused(tmp_path):
    tiny("gated-pixelcnn").save(tmp_path)
    tampered(tmp_path, change_weights=lambda _, each: each.double() if each.ndim == 1 else each)
    with pytest.raises(ModelError, match="not of one kind of floats"):
        nx.load(tmp_path)


def test_hostile_models_in_files_end_with_a_sentence(tmp_path, capsys):
    model = sharper(tiny("gated-pixelcnn", (1, 4, 5), 256)).eval()
    model.save(tmp_path / "model")

    def packed(number, **changes):
        folder = shutil.copytree(tmp_path / "model", tmp_path / f"model{number}")
        tampered(folder, **changes)
        embed = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
        (tmp_path / f"{number}.npx").write_bytes(nx.compress(model, noise(model, 2), embed=embed))
        return tmp_path / f"{number}.npx"

    files = [
        packed(1, change_description=lambda each: each["options"].update(layers=10**9)),
        packed(2, change_description=lambda each: each.update(image_shape=[1, 2**40, 2**40])),
        packed(3, change_weights=lambda _, each: each.to(torch.int16)),
        packed(4, change_weights=lambda _, each: each * float("nan")),
    ]
    for file in files:
        assert run(["decompress", str(file), "--out", str(tmp_path / "out")]) == 2
        assert "Traceback" not in (said := capsys.readouterr().err) and said.count("\n") <= 3
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("most", ["inf", "nan", "0", "-1"])
def test_limits_that_are_none_are_refused(tmp_path, capsys, most):
    (tmp_path / "a.npx").write_bytes(b"")
    assert run(["decompress", str(tmp_path / "a.npx"), "--out", str(tmp_path / "o"), "--most-megapixels", most]) == 2
    assert "--most-megapixels" in capsys.readouterr().err


def test_upsampling_to_any_side_is_planned_at_once(tmp_path):
    """Between 843,750 and 864,000 no number is made of 2, 3 and 5 alone."""
    tiny("gated-pixelcnn", (1, 8, 8), 4).save(tmp_path)
    condition = {"kind": "Map", "channels": 1, "size": [1, 1]}
    tampered(tmp_path, lambda each: each.update(image_shape=[1, 843751, 843751], condition=condition))
    with pytest.raises(ModelError):
        nx.load(tmp_path)


def test_wide_models_do_not_compress(model):
    wide = tiny("gated-pixelcnn", (1, 1, 2**17), 4)
    with pytest.raises(ModelError, match="takes too much memory to compress"):
        nx.compress(wide, torch.zeros(1, 1, 1, dtype=torch.uint8))
    large = tiny("gated-pixelcnn", (1, 2**14, 2**14), 4)
    assert nx.decompress(large, nx.compress(large, [])) == []
    image = torch.ones(1, 2, 3, dtype=torch.uint8)
    assert torch.equal(nx.decompress(large, nx.compress(large, image)), image)
    assert nx.compress(torch.compile(model), noise(model, 2)) == nx.compress(model, noise(model, 2))


def test_a_precision_that_is_changed_meanwhile_changes_no_byte(model):
    def change(_):
        torch.set_float32_matmul_precision("medium")

    images = noise(model, 2)
    expected = nx.compress(model, images)
    try:
        assert nx.compress(model, images, advance=change) == expected
        assert torch.equal(nx.decompress(model, expected, advance=change), images)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_an_inherited_precision_is_inherited_again(model):
    matmul = torch.backends.mkldnn.matmul
    try:
        matmul.fp32_precision = "none"
        torch.backends.fp32_precision = "bf16"
        nx.compress(model, noise(model, 2))
        assert matmul.fp32_precision == "bf16"
        torch.backends.fp32_precision = "ieee"
        assert matmul.fp32_precision == "ieee"
    finally:
        torch.backends.fp32_precision = "none"


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "a.png/b.png"],
        ["é" * 124 + ".png", "b.png"],
        [".png", "b.png"],
        ["a/.png", "b.png"],
        ["a\u202e.png", "b.png"],
        ["a\x1b[31m.png", "b.png"],
        ["x/", "b.png"],
        ["A.png", "a.png"],
        ["CON.png", "b.png"],
        ["a/nul.tar.PNG", "b.png"],
        ["Com1 .png", "b.png"],
        ["a./b.png", "b.png"],
        ["a /b.png", "b.png"],
        ["a:b.png", "b.png"],
    ],
)
def test_names_that_cannot_be_written_leave_nothing_behind(model, tmp_path, capsys, names):
    model.save(tmp_path / "model")
    (tmp_path / "a.npx").write_bytes(nx.compress(model, noise(model, 2), names=names))
    assert run(["decompress", str(tmp_path / "model"), str(tmp_path / "a.npx"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "rename it" in said and said[:-1].isprintable()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.npx", "model"]


def test_names_that_are_like_those_of_devices_may_be(model, tmp_path):
    names = ["console.png", "com10.png"]
    model.save(tmp_path / "model")
    (tmp_path / "a.npx").write_bytes(nx.compress(model, noise(model, 2), names=names))
    assert run(["decompress", str(tmp_path / "model"), str(tmp_path / "a.npx"), "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_a_name_of_a_picture_may_be_that_of_a_folder(model, tmp_path):
    from PIL import Image

    model.save(tmp_path / "model")
    (tmp_path / "in" / "x.png").mkdir(parents=True)
    for name in ("x.bmp", "x.png/b.png"):
        Image.new("L", (4, 5)).save(tmp_path / "in" / name)
    words = [str(tmp_path / "model"), str(tmp_path / "in"), "--out", str(tmp_path / "a.npx")]
    assert run(["compress", *words]) == 0
    assert run(["decompress", words[0], words[3], "--out", str(tmp_path / "out")]) == 0
    found = sorted(each.relative_to(tmp_path / "out").as_posix() for each in (tmp_path / "out").rglob("*.png"))
    assert found == ["x.bmp.png", "x.png", "x.png/b.png"]


def test_long_pictures_are_compressed_though_other_formats_cannot_hold_them(tmp_path, capsys):
    from PIL import Image

    model = sharper(tiny("gated-pixelcnn", (1, 1, 64), 256)).eval()
    model.save(tmp_path / "model")
    Image.new("L", (17000, 1)).save(tmp_path / "long.png")
    assert run(["compress", str(tmp_path / "model"), str(tmp_path / "long.png"), "--out", str(tmp_path / "a.npx")]) == 0
    assert "WebP (cannot hold pictures as large)" in capsys.readouterr().out


def test_errors_do_not_command_the_terminal(capsys):
    from nextpixel.cli.app import complain

    assert complain("\x1b]0;owned\x07\nnextpixel: all is well" + "x" * 10**6) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "\\x1b]0;owned\\x07\\nnextpixel" in said and len(said) < 3000


@pytest.mark.parametrize("command", [["info"], ["compress"], ["decompress"]])
def test_names_too_long_for_the_system_are_refused(command, tmp_path, capsys):
    assert run([*command, "a" * 300, "b", "--out", str(tmp_path / "c.npx")][: 2 if command == ["info"] else None]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("images", [None, 3, np.array(5), [None], [[[1, 2], [3]]], torch.zeros(2, 1, 4, 5).bfloat16()])
def test_what_is_no_images_is_refused(model, images):
    with pytest.raises(InputError):
        nx.compress(model, images)


@pytest.mark.parametrize("arguments", [{"only": 1.5}, {"only": "a"}, {"most_sub_pixels": float("nan")}])
def test_arguments_of_other_kinds_are_refused(model, arguments):
    data = nx.compress(model, noise(model, 2))
    with pytest.raises(InputError):
        nx.decompress(model, data, **arguments)
    assert torch.equal(nx.decompress(model, memoryview(data)), noise(model, 2))


@pytest.mark.parametrize("lane", [b"", b"\1"])
@pytest.mark.parametrize("version", [1, 2])
def test_lanes_of_no_bytes_take_no_time(version, lane, monkeypatch):
    """Which give zeros, or are given up; 65,000 sub-pixels took minutes, and a file may declare 256 million of them."""
    family = {1: "gated-pixelcnn", 2: "local-pixelcnn"}[version]
    model = sharper(tiny(family, (1, 4, 5), 256), 1.0).eval()
    contents = read(nx.compress(model, [torch.zeros(1, 4, 5, dtype=torch.uint8)]))
    contents.stored, contents.kinds, contents.adaptation = {}, {}, b""
    contents.shapes, contents.blocks = [(1, 4, 5)] * 63 if version == 1 else [(1, 2**15, 1)], [[lane]]
    steps = []
    monkeypatch.setattr("nextpixel.engines.exact.kernel", lambda: None)
    monkeypatch.setattr(Engine, "decode_row", lambda *a: steps.append(1) or real_row(*a))
    monkeypatch.setattr("nextpixel.codec.wavefront._decode_front", lambda *a: steps.append(1) or real_front(*a))
    with pytest.raises(DataError):
        nx.decompress(model, write(contents))
    assert len(steps) < 1000 and (lane or not steps)


@pytest.mark.parametrize("family", ["gated-pixelcnn", "local-pixelcnn"])
def test_pictures_of_lanes_that_a_decoder_might_refuse_are_stored(family, monkeypatch):
    model = sharper(tiny(family, (1, 4, 5), 256), 1.0).eval()
    monkeypatch.setattr("nextpixel.coding.rans.FREE_BITS", -(10**6))
    data = nx.compress(model, noise(model, 3))
    monkeypatch.undo()
    assert len(read(data).stored) == 3 and torch.equal(nx.decompress(model, data), noise(model, 3))


@pytest.mark.parametrize(("shape", "narrow"), [((3, 4096, 8), True), ((3, 3, 30_000), True), ((3, 250, 250), False)])
def test_narrow_pictures_count_by_their_sides(shape, narrow):
    """They have few pixels in each of very many wavefronts, so that a few bytes would stand for much work."""
    model = tiny("local-pixelcnn", (3, 8, 8), 256, head="logistic-mixture").eval()
    contents = read(nx.compress(model, torch.randint(256, (1, 3, 9, 9), dtype=torch.uint8), effort=1))
    size = len(write(contents))
    contents.shapes = [shape]
    if narrow:
        refused(model, write(contents), r"declares more than \d+ sub-pixels")
    else:
        assert read(write(contents)).shapes == [shape] and size < 500
