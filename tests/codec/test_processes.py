"""Files of a process that uses some instructions of the processor are decoded by one that uses others."""

import os
import subprocess
import sys

import numpy as np
import torch

import nextpixel as nx
from helpers.tiny_models import seeded, sharper, tiny

BEYOND_THE_BASELINE = " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"])
"""Instructions that this processor has and NumPy was not built to need."""
ENVIRONMENTS = {
    "old": {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": BEYOND_THE_BASELINE,
        "OMP_NUM_THREADS": "2",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "avx2": {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "best": {},
}
PROGRAM = """
import sys, torch
from pathlib import Path
import nextpixel as nx
for folder in Path(sys.argv[1]).iterdir():
    model, images = nx.load(folder / "model"), torch.load(folder / "images.pt")
    (folder / f"{sys.argv[2]}.npx").write_bytes(nx.compress(model, images))
    assert torch.equal(nx.decompress(model, (folder / f"{sys.argv[3]}.npx").read_bytes()), images)
"""
FAMILIES = ["gated-pixelcnn", "pixelcnn"]


def run(environment, *arguments):
    own = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    subprocess.run([sys.executable, "-c", PROGRAM, *map(str, arguments)], check=True, env=own, timeout=300)


def test_processes_decode_each_others_files(tmp_path):
    models = {}
    for family in FAMILIES:
        model = sharper(tiny(family, (3, 8, 8), 256, features=33, layers=4), 1.0).eval()
        model.save(tmp_path / family / "model")
        models[family] = model, model.sample(5, generator=seeded())
        torch.save(models[family][1], tmp_path / family / "images.pt")
    first = next(iter(ENVIRONMENTS))
    for name, environment in ENVIRONMENTS.items():
        run(environment, tmp_path, name, first)
    for family, (model, images) in models.items():
        files = [(tmp_path / family / f"{name}.npx").read_bytes() for name in ENVIRONMENTS]
        assert len(set(files)) == 1
        assert torch.equal(nx.decompress(model, files[0]), images)
