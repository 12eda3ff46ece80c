import hashlib
import json
import random
import resource
import struct
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

import nextpixel as nx
from helpers import tiny_models
from helpers.tiny_models import SHAPES, features_of, mixed, noise, sharper
from nextpixel.errors import ModelError
from nextpixel.model_files.format import fingerprint
from nextpixel.model_files.record import TrainingRecord
from nextpixel.model_files.saving import save
from nextpixel.training.run_folder import RunFolder

tiny = partial(tiny_models.tiny, default_condition=False)
"""An autoencoder then encodes the images themselves, as one that was loaded does."""

SHAPE = (3, 3, 4)


def saved(family, folder, shape=SHAPE, levels=5, **options):
    model = sharper(tiny(family, shape, levels, **options)).eval()
    model.record = TrainingRecord(data="noise", parameters=3)
    model.save(folder)
    return model


@pytest.fixture
def folder(some_family, tmp_path):
    saved(some_family, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def model(folder):
    return nx.load(folder)


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def write_config(folder, config):
    (folder / "config.json").write_text(json.dumps(config))


def write_sealed(folder, config=None, tensors=None):
    """Write a folder whose checksum is right, whatever is in it."""
    config = config or config_of(folder)
    path = folder / "model.safetensors"
    tensors = load_tensors(path.read_bytes()) if tensors is None else tensors
    write_config(folder, config)
    path.write_bytes(save_tensors(tensors, {"format": "pt", "sha256": fingerprint(config["model"], tensors)}))


def refused(folder, message="."):
    with pytest.raises(ModelError, match=message) as caught:
        nx.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "options"), mixed(SHAPES, [{}, {"layers": 3, "kernel_size": 5, "skips": False, "dropout": 0.1}])
)
def test_a_model_comes_back_equal(family, shape, options, tmp_path):
    model = saved(family, tmp_path / "a" / "b", shape, **options)
    again = nx.load(str(tmp_path / "a" / "b"))
    assert type(again) is type(model) and not again.training
    assert (again.image_shape, again.levels, again.options) == (shape, 5, model.options)
    assert again.record == model.record
    assert torch.equal(again.logits(noise(model, 3)), model.logits(noise(model, 3)))
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_saving_what_was_loaded_writes_the_same_files(folder, tmp_path):
    again = tmp_path / "again"
    nx.load(folder).save(again)
    for each in (folder, again):
        assert sorted(path.name for path in each.iterdir()) == [
            "README.md",
            "config.json",
            "model.safetensors",
        ]
    for name in ("README.md", "config.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert digest_in(again / "model.safetensors") == digest_in(folder / "model.safetensors")


def test_saving_again_replaces_the_model(some_family, folder):
    other = tiny(some_family, (1, 2, 2), 3)
    other.save(folder)
    assert torch.equal(nx.load(folder).logits(noise(other, 2)), other.logits(noise(other, 2)))
    assert len(list(folder.iterdir())) == 3


def test_saving_does_not_change_the_model(family, tmp_path):
    model = tiny(family)
    before = model.logits(noise(model, 2))
    model.save(tmp_path)
    assert model.training and torch.equal(model.logits(noise(model, 2)), before)


def test_a_place_that_cannot_be_written_is_said(family, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        tiny(family).save(tmp_path / "file")


def test_the_card_says_what_the_model_is(some_family, folder):
    card = (folder / "README.md").read_text()
    assert card.startswith(f"# {some_family}\n")
    for fact in (
        "3 x 3 x 4 (channels, height, width), 5 levels",
        f"features {features_of(some_family)}",
        f"layers {nx.load(folder).options['layers']}",
        "| Data | noise |",
    ):
        assert fact in card
    count = sum(each.numel() for each in nx.load(folder).parameters())
    assert f"| Parameters | {count:,} |" in card


def test_a_run_folder_is_a_model_folder(family, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.start({"settings": {"steps": 3}, "model": {}, "data": {}})
    run.checkpoint.write_bytes(b"not looked at")
    run.log({"step": 1, "train_bits_per_dim": 2.0})
    model = saved(family, run.path)
    assert torch.equal(nx.load(run.path).logits(noise(model, 2)), model.logits(noise(model, 2)))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    refused(folder, f"is not a model folder: it has no {name}")
    (folder / name).mkdir()
    refused(folder, f"it has no {name}")


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", "nowhere is not a model folder")
    (tmp_path / "file").write_text("{}")
    refused(tmp_path / "file", "not a model folder")


def test_a_missing_card_is_no_harm(folder):
    (folder / "README.md").unlink()
    assert nx.load(folder).levels == 5


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("fault", ["missing", "extra", "renamed", "reshaped"])
def test_the_tensors_must_be_those_of_the_model(folder, fault, sealed):
    path = folder / "model.safetensors"
    tensors = load_tensors(path.read_bytes())
    first = next(iter(tensors))
    if fault == "extra":
        tensors["extra"] = torch.zeros(3)
    else:
        tensor = tensors.pop(first)
        if fault == "renamed":
            tensors[f"{first}s"] = tensor
        elif fault == "reshaped":
            tensors[first] = tensor[..., None]
    if sealed:
        write_sealed(folder, tensors=tensors)
    else:
        digest = digest_in(path)
        path.write_bytes(save_tensors(tensors, {"format": "pt", "sha256": digest}))
    refused(folder, "does not describe the weights" if sealed else "checksum")


def digest_in(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])["__metadata__"]["sha256"]


def test_weights_without_a_checksum_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(save_tensors(load_tensors(path.read_bytes())))
    refused(folder, "checksum")


def test_weights_of_another_model_are_refused(some_family, folder, tmp_path):
    other = tiny(some_family, SHAPE, 5)
    other.save(tmp_path / "other")
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    # The same description and whole weights: a model folder like any other.
    assert torch.equal(nx.load(folder).logits(noise(other, 1)), other.logits(noise(other, 1)))
    tiny(some_family, SHAPE, 6).save(tmp_path / "other")
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    refused(folder, "checksum")


EDITS = [
    ("family", "transformer"),
    ("family", None),
    ("family", ["gated-pixelcnn"]),
    ("levels", 6),
    ("levels", "5"),
    ("levels", 5.0),
    ("levels", True),
    ("levels", None),
    ("image_shape", [3, 4]),
    ("image_shape", [1, 3, 4]),
    ("image_shape", [3, "3", 4]),
    ("image_shape", "334"),
    ("image_shape", 3),
    ("image_shape", None),
    ("options", None),
    ("options", []),
    ("options", {"features": 8}),
    ("options", {"widht": 8}),
]


def assert_refused(folder, config, sealed):
    """An edited description is refused, by its checksum or, where that was made anew, by what it says."""
    if sealed:
        write_sealed(folder, config)
    else:
        write_config(folder, config)
    with pytest.raises(ModelError, match="." if sealed else "checksum|does not describe a model"):
        nx.load(folder)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(("name", "value"), EDITS, ids=[f"{name}={value}" for name, value in EDITS])
def test_an_edited_description_is_refused(folder, name, value, sealed):
    config = config_of(folder)
    if sealed and (config["model"]["family"], name, value) == ("local-pixelcnn", "levels", 6):
        pytest.skip("its weights fit any number of levels")
    config["model"][name] = value
    assert_refused(folder, config, sealed)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("value", [9, -1, 0, 2.5, "8", None, [], {}, True, float("nan"), float("inf")], ids=repr)
def test_an_edited_option_is_refused(folder, value, sealed):
    config = config_of(folder)
    for name in ("features", "layers"):
        options = config["model"]["options"] | {name: value}
        assert_refused(folder, config | {"model": config["model"] | {"options": options}}, sealed)


@pytest.mark.parametrize("name", ["family", "image_shape", "levels", "options"])
def test_a_description_with_a_hole_is_refused(folder, name):
    config = config_of(folder)
    del config["model"][name]
    write_sealed(folder, config)
    with pytest.raises(ModelError):
        nx.load(folder)


@pytest.mark.parametrize("version", [2, 0, "1", None, [1]])
def test_another_format_is_refused(folder, version):
    write_config(folder, config_of(folder) | {"format": version})
    refused(folder, "this version of nextpixel reads 1; upgrade")


@pytest.mark.parametrize("record", [[], "trained", 3, None])
def test_a_record_that_is_no_object_is_refused(folder, record):
    write_config(folder, config_of(folder) | {"record": record})
    refused(folder, "'record' must be an object")


@pytest.mark.parametrize("record", [{"likelihood": "low"}, {"quantiles": [2, 1]}, {"version": 99}, {"data": [[1]]}])
def test_a_record_of_other_types_is_refused_with_the_name_of_the_file(folder, record):
    write_config(folder, config_of(folder) | {"record": record})
    refused(folder, r"config\.json has a training record")


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"model"', "{}", '{"model": 3}', "\ufeff{}", "\0"])
def test_another_json_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    refused(folder, "config.json")


@pytest.mark.parametrize("depth", [200, 900, 990, 5_000, 100_000, 1_000_000])
@pytest.mark.parametrize("place", ["file", "option", "record"])
def test_deep_nesting_is_refused_or_without_effect(folder, model, depth, place):
    nest = "[" * depth + "]" * depth
    text = (folder / "config.json").read_text()
    text = {
        "file": nest,
        "option": text.replace('"features": 8', f'"features": {nest}'),
        "record": text.replace('"noise"', nest),
    }[place]
    (folder / "config.json").write_text(text)
    refused_or_equal(folder, model)


def test_every_flipped_bit_of_the_weights_is_noticed(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    draw = random.Random(0)
    for _ in range(100):
        at, bit = draw.randrange(8 + length, len(data)), 1 << draw.randrange(8)
        data[at] ^= bit
        path.write_bytes(data)
        refused(folder, "checksum")
        data[at] ^= bit
    path.write_bytes(data)
    nx.load(folder)


def refused_or_equal(folder, model):
    """Load a damaged folder: an error of ours, or else nothing was damaged."""
    try:
        found = nx.load(folder)
    except ModelError as error:
        assert str(error)
        return False
    assert (found.family, found.image_shape, found.levels) == (model.family, model.image_shape, model.levels)
    assert found.options == model.options
    assert torch.equal(found.logits(noise(model, 2)), model.logits(noise(model, 2)))
    return True


def flip_bits(data, draw):
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def cut(data, draw):
    return data[: draw.randrange(len(data))]


def lengthen(data, draw):
    return data + draw.randbytes(draw.randint(1, 100))


def overwrite(data, draw):
    start = draw.randrange(len(data))
    data[start : start + draw.randint(1, 16)] = draw.randbytes(draw.randint(0, 16))
    return data


def swap_chunks(data, draw):
    a, b, c = sorted(draw.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def only_noise(_, draw):
    return bytearray(draw.randbytes(draw.randint(0, 300)))


def edit_header(data, draw):
    """Changes the text of the header, or of the config where it is one, and keeps it whole otherwise."""
    old = draw.choice([b"F32", b"shape", b"[", b"]", b"0", b"1", b"8", b",", b'"', b":", b"weight", b"sha256", b"\n"])
    new = draw.choice(
        [
            b"F64",
            b"I8",
            b"BF16",
            b"C64",
            b"F4",
            b"F8_E8M0",
            b"BOOL",
            b"U32",
            b"",
            b"-1",
            b"1e9",
            b"9" * 30,
            b"null",
        ]
    )
    places = [at for at in range(min(len(data), 20_000)) if data.startswith(old, at)]
    if places:
        at = draw.choice(places)
        data[at : at + len(old)] = new
    return data


MUTATIONS = [flip_bits, cut, lengthen, overwrite, swap_chunks, only_noise, edit_header]
VALUES = [
    None,
    True,
    "",
    "8",
    "\ud800",
    -1,
    0,
    2**31,
    2**63,
    10**400,
    1e308,
    float("nan"),
    [],
    {},
    [[[]]],
    {"a": {}},
]


def replace_a_value(data, draw):
    """Puts something else at a random place of a JSON document."""
    document = json.loads(data)
    places = []

    def visit(node):
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, dict | list):
                visit(value)

    visit(document)
    node, key = draw.choice(places)
    if draw.random() < 0.2:
        del node[key]
    else:
        node[key] = draw.choice(VALUES)
    return bytearray(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("name", "mutations"),
    [("config.json", [*MUTATIONS, *[replace_a_value] * 5]), ("model.safetensors", MUTATIONS)],
)
def test_a_damaged_file_is_refused(folder, model, name, mutations):
    """Or without effect, as in white space or in the record of the training."""
    whole = (folder / name).read_bytes()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    refusals = 0
    for seed in range(150):
        draw = random.Random(seed)
        data = draw.choice(mutations)(bytearray(whole), draw)
        (folder / name).write_bytes(data)
        refusals += not refused_or_equal(folder, model)
    assert refusals > 75
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < megabytes + 200


def test_a_header_that_promises_more_than_there_is_is_refused(folder):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    for length in (0, 1, 2**20, 2**40, 2**63, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + data[8:])
        refused(folder, "damaged")


@pytest.mark.parametrize("dtype", ["F64", "F16", "BF16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL", "C64", "F4"])
def test_tensors_of_another_type_are_refused(folder, dtype):
    """The header is right in itself: the same bytes are said to be of another type and number."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    bits = {"BOOL": 8, "BF16": 16}.get(dtype) or int(dtype[1:])
    for name, entry in header.items():
        start, end = entry.get("data_offsets", (0, 0))
        if name != "__metadata__" and (end - start) * 8 % bits == 0:
            entry |= {"dtype": dtype, "shape": [(end - start) * 8 // bits]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    refused(folder)


def test_the_checksum_covers_names_types_shapes_and_values():
    tensors = {"a": torch.arange(6.0), "b": torch.zeros(2, 3)}
    digests = {
        fingerprint(description, each)
        for description in ({"x": 1}, {"x": 2})
        for each in (
            tensors,
            {"a": tensors["a"], "c": tensors["b"]},
            {"a": tensors["a"].view(2, 3), "b": tensors["b"]},
            {"a": tensors["a"], "b": tensors["b"].int()},
            {"a": tensors["a"], "b": -tensors["b"]},
            {"a": tensors["a"]},
            {},
        )
    }
    assert len(digests) == 14 and all(len(each) == len(hashlib.sha256().hexdigest()) for each in digests)
    assert fingerprint({}, tensors) == fingerprint({}, dict(reversed(tensors.items())))


def test_numpy_integers_are_as_good_as_others(family, tmp_path):
    shape = (np.int64(1), np.int32(4), np.uint8(3))
    model = nx.build(family, image_shape=shape, levels=np.int64(5), features=np.int64(8), layers=np.int64(2))
    model.save(tmp_path)
    assert nx.load(tmp_path).image_shape == (1, 4, 3)


def test_a_model_in_double_precision_comes_back_in_it(family, tmp_path):
    model = nx.build(family, image_shape=(1, 4, 3), levels=5, features=8, layers=2).double()
    model.save(tmp_path)
    for name, tensor in nx.load(tmp_path).state_dict().items():
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, model.state_dict()[name])


@pytest.mark.parametrize("storage", ["float16", "bfloat16"])
def test_weights_stored_in_half_precision_come_back_in_float32(family, tmp_path, storage):
    model = saved(family, tmp_path / "whole")
    save(model, tmp_path / "half", storage=storage)
    assert config_of(tmp_path / "half")["storage"] == storage
    again = nx.load(tmp_path / "half")
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == again.state_dict()[name].dtype == torch.float32
        assert torch.equal(again.state_dict()[name], tensor.to(getattr(torch, storage)).float())


@pytest.mark.parametrize("storage", ["float16", "bfloat16", "float32"])
def test_a_type_that_is_not_that_of_the_weights_is_refused(folder, storage):
    save(nx.load(folder), folder, storage=storage)
    for said in {"float16", "bfloat16", "float32", "float64", "int8", None, 3} - {storage}:
        write_config(folder, config_of(folder) | {"storage": said})
        refused(folder, "stored as")


def test_a_folder_that_does_not_say_how_its_weights_are_stored_is_one_of_before(folder, model):
    config = config_of(folder)
    assert config.pop("storage") == "float32"
    write_config(folder, config)
    assert torch.equal(nx.load(folder).logits(noise(model, 2)), model.logits(noise(model, 2)))
