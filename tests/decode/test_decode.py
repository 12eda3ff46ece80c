"""Files are decoded to the same pixels where nothing but NumPy and Pillow can be imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from helpers.golden import GOLDEN, model_of, pixels_of
from helpers.tiny_models import noise, sharper, tiny
from nextpixel.data.level_table import level_table
from nextpixel.model_files.saving import save
from nextpixel.plan.lowering.families import LOWERINGS

BLOCKED = """
import runpy, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in {"numpy", "PIL", "nextpixel"} and root not in sys.stdlib_module_names:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
sys.argv[0] = "nextpixel.decode"
runpy.run_module("nextpixel.decode", run_name="__main__")
"""


def decoded(*arguments):
    """What the command does where only NumPy and Pillow are there."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def pixels(folder, levels):
    """The pictures of a folder, as the integers that were compressed."""
    table = level_table(levels)
    pictures = []
    for path in sorted(folder.rglob("*.png")):
        values = np.asarray(Image.open(path))
        values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
        pictures.append(np.searchsorted(table, values).tolist())
    return pictures


def test_what_is_blocked_cannot_be_imported():
    code = BLOCKED.replace('runpy.run_module("nextpixel.decode", run_name="__main__")', "import torch")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "torch is blocked" in run.stderr


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.npx")), ids=lambda path: path.stem)
def test_golden_files_are_decoded_to_their_pixels(tmp_path, path):
    folder = GOLDEN / model_of(path.stem)
    run = decoded(path, "--model", folder, "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (0, "")
    levels = json.loads((folder / "config.json").read_text())["model"]["levels"]
    assert pixels(tmp_path / "out", levels) == pixels_of(path.stem)


@pytest.mark.parametrize("family", [*sorted(LOWERINGS), "local-pixelcnn", "multiscale", "turned"])
def test_files_with_their_model_in_them_need_nothing_else(tmp_path, family):
    model = sharper(tiny(family, (3, 4, 5), 256, condition=None), 0.5).eval()
    model.save(tmp_path / "model")
    embed = {name: (tmp_path / "model" / name).read_bytes() for name in ("config.json", "model.safetensors")}
    images = noise(model, 3) // 16
    effort = 1 if family == "local-pixelcnn" else None
    (tmp_path / "file.npx").write_bytes(
        nx.compress(model, images, names=["a", "b/c", "d.png"], embed=embed, effort=effort)
    )
    run = decoded(tmp_path / "file.npx", "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (0, f"3 pictures: {tmp_path / 'out'}\n")
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")) == [
        "a.png",
        "b/c.png",
        "d.png",
    ]
    assert pixels(tmp_path / "out", 256) == images.tolist()


def test_halves_are_taken_as_float32(tmp_path):
    model = tiny("pixelcnn", (1, 4, 5), 256).half().float().eval()
    save(model, tmp_path / "model", storage="float16")
    images = noise(model, 2)
    (tmp_path / "file.npx").write_bytes(nx.compress(nx.load(tmp_path / "model"), images, lanes=1))
    run = decoded(tmp_path / "file.npx", "--model", tmp_path / "model", "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (0, "")
    assert pixels(tmp_path / "out", 256) == images.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"no file" + data, "file.npx: the file is not an .npx file"),
        (lambda data: data[:-9] + b"x" + data[-8:], "file.npx: the file is damaged or incomplete"),
    ],
)
def test_damage_is_a_sentence_and_leaves_nothing(tmp_path, change, message):
    (tmp_path / "file.npx").write_bytes(change((GOLDEN / "gated-grey.npx").read_bytes()))
    run = decoded(tmp_path / "file.npx", "--model", GOLDEN / "gated-grey", "--out", tmp_path / "out")
    assert run.returncode == 2 and message in run.stderr and "Traceback" not in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file.npx"]


def test_what_is_missing_is_said(tmp_path):
    golden = GOLDEN / "gated-grey.npx"
    run = decoded(golden, "--out", tmp_path / "out")
    assert run.returncode == 2 and "name the model's folder with --model" in run.stderr
    run = decoded(golden, "--model", GOLDEN / "gated-rgb", "--out", tmp_path / "out")
    assert run.returncode == 2 and "compressed with another model" in run.stderr
    run = decoded(golden, "--model", tmp_path, "--out", tmp_path / "out")
    assert run.returncode == 2 and "is no model folder" in run.stderr
    run = decoded(tmp_path / "none.npx", "--out", tmp_path / "out")
    assert run.returncode == 2 and "cannot be read" in run.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")
    run = decoded(golden, "--out", tmp_path / "out")
    assert run.returncode == 2 and "is not an empty folder" in run.stderr


def test_a_damaged_model_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    config, weights = ((GOLDEN / "gated-grey" / name).read_bytes() for name in ("config.json", "model.safetensors"))
    for broken in (weights[:-1] + bytes([weights[-1] ^ 1]), weights[:100], b"", weights[:8] + b"[" + weights[9:]):
        (tmp_path / "model" / "config.json").write_bytes(config)
        (tmp_path / "model" / "model.safetensors").write_bytes(broken)
        run = decoded(GOLDEN / "gated-grey.npx", "--model", tmp_path / "model", "--out", tmp_path / "out")
        assert run.returncode == 2 and "copy the model's folder again" in run.stderr, run.stderr
