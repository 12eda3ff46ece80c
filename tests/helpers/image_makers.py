"""Small images and files made of them."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
from hypothesis import HealthCheck, settings
from PIL import Image

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
"""Settings of property tests that write files: a fixture's folder is shared by the examples of a test."""


def noise(*shape, seed=0, levels=256):
    return np.random.default_rng([seed, *shape]).integers(0, levels, shape).astype(np.uint8)


def encode(pixels, kind="PNG", **options):
    """Encodes uint8 [H, W] or [H, W, C] as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def put(folder, files):
    """Writes files, given by relative name, below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def pngs(*names, size=(4, 5)):
    """A PNG for each name, each of other pixels."""
    return {name: encode(noise(*size, seed=i)) for i, name in enumerate(names)}


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_gz(array):
    return gzip.compress(idx(array), mtime=0)


def pack(path, files, mode, prefix=""):
    if mode is None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(prefix + name, data)
        return path
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
