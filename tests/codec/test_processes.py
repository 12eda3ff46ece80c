"""Files of a process that uses some instructions of the processor are decoded by one that uses others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import seeded, sharper, tiny

ENVIRONMENTS = {
    "default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "2"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "sse": {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "MKL_CBWR": "COMPATIBLE"},
    "best": {},
}
if torch.backends.cpu.get_cpu_capability() == "AVX512":
    ENVIRONMENTS["avx512"] = {"ATEN_CPU_CAPABILITY": "avx512"}
PROGRAM = """
import sys, torch
import nextpixel as nx
model, images, out, first = nx.load(sys.argv[1]), torch.load(sys.argv[2]), *sys.argv[3:]
open(out, "wb").write(nx.compress(model, images))
assert torch.equal(nx.decompress(model, open(first, "rb").read()), images)
"""


def run(environment, *arguments):
    own = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    subprocess.run([sys.executable, "-c", PROGRAM, *map(str, arguments)], check=True, env=own, timeout=300)


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelcnn"])
def test_processes_decode_each_others_files(family, tmp_path):
    model = sharper(tiny(family, (3, 8, 8), 256, features=33, layers=4), 1.0).eval()
    model.save(tmp_path / "model")
    images = model.sample(5, generator=seeded())
    torch.save(images, tmp_path / "images.pt")
    files: list[Path] = []
    for name, environment in ENVIRONMENTS.items():
        files.append(tmp_path / f"{name}.npx")
        run(environment, tmp_path / "model", tmp_path / "images.pt", files[-1], files[0])
    assert len({file.read_bytes() for file in files}) == 1
    assert torch.equal(nx.decompress(model, files[0].read_bytes()), images)
