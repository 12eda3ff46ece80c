"""What each of several processes runs in `test_together.py`: trainings of every family, whose figures are kept.

Arguments: the images, the folder of the runs, and what to do.
"""

import signal
import sys
from pathlib import Path

import torch

import nextpixel as nx
from helpers.tiny_models import OPTIONS, takes
from nextpixel.runtime.distributed import current, launched
from nextpixel.training import run as run_module
from nextpixel.training.api import train
from nextpixel.training.run import Run
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.signals import Interrupted

# In bfloat16 the gradients of the parts of a batch are rounded before they are added up.
FLOAT32 = {"precision": "float32"}
SETTINGS = {"steps": 8, "batch_size": 7, "warmup": 3, "grids": 1, "grid_images": 3, "validations": 2} | FLOAT32


def build(family, **options):
    torch.manual_seed(0)
    usual = {"features": 6, "layers": 2, "first_kernel_size": 3, **OPTIONS.get(family, {})}
    sizes = {name: value for name, value in usual.items() if takes(family, name)}
    return nx.build(family, image_shape=(1, 5, 4), levels=3, **sizes, **options)


def go(path, out, family, settings=SETTINGS, resume=False, **options):
    images = nx.open_images(path)
    if options.get("condition"):
        images = images.with_condition(images[:].flatten(1).float().mean(dim=1).gt(1).long())
    training, valid = images.subset(range(50)), images.subset(range(50, 60))
    return train(build(family, **options), training, out, valid, TrainingSettings(**settings), resume=resume)


def every_family(path, out):
    for family in nx.models():
        go(path, out / family, family)
    go(path, out / "conditional", "gated-pixelcnn", condition=nx.Labels(2))
    # Parts of a batch draw the same noise wherever they are computed.
    parts = SETTINGS | {"batch_size": 8, "accumulate": 2 // current().count}
    go(path, out / "dropout", "gated-pixelcnn", parts, dropout=0.3)


def interrupted(path, out):
    """Interrupted in the middle by a signal to one of the processes, and resumed."""
    go(path, out / "whole", "gated-pixelcnn")
    step = Run._step

    def stepping(self, progress):
        if self.step == 3 and current().rank == current().count - 1:
            signal.raise_signal(signal.SIGTERM)
        return step(self, progress)

    run_module.Run._step = stepping
    try:
        go(path, out / "parts", "gated-pixelcnn")
    except Interrupted:
        run_module.Run._step = step
    go(path, out / "parts", "gated-pixelcnn", resume=True)


def refused(path, out):
    """One process has other images than the others; a batch has fewer images than there are parts of it."""
    images = nx.open_images(path)
    undivided = SETTINGS | {"batch_size": 2, "accumulate": 2}
    for count, settings, sentence in (
        (50 + current().rank, SETTINGS, "different images"),
        (50, undivided, "cannot be divided among 2 processes"),
    ):
        try:
            train(build("pixelcnn"), images.subset(range(count)), out / "run", images, TrainingSettings(**settings))
        except nx.NextpixelError as error:
            assert sentence in str(error), error
        else:
            raise AssertionError(f"it was not noticed: {sentence}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with launched():
        globals()[sys.argv[3]](Path(sys.argv[1]), Path(sys.argv[2]))
