"""Finding faulty parts: a model learns what good ones look like, and says which others are not like them, and where.

Give a folder of pictures of good parts and, to see how well it does, one of bad ones. Without them, pictures are made:
a disc with a hole in brushed metal, of which the bad ones have a scratch, a spot, or no hole.

Part of the good pictures is held out, to tell how strange a good part can look. A part counts as bad if at most one
in a hundred good ones is as strange; that promise needs 99 held-out pictures at least.

    .venv/bin/python examples/production_line.py
    .venv/bin/python examples/production_line.py --good GOOD --bad BAD --size 32 --steps 5000
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score

import nextpixel as nx

SIDE, FALSE_ALARMS, SHOWN = 16, 0.01, 8


def part(random: np.random.Generator, fault: str | None = None) -> Image.Image:
    """A picture of a part: a bright disc with a hole, never in quite the same place."""
    scale = 4
    picture = Image.new("L", (SIDE * scale, SIDE * scale), 40)
    pen = ImageDraw.Draw(picture)
    x, y = (scale * (SIDE / 2 + random.uniform(-0.7, 0.7)) for _ in range(2))
    outer, inner = (scale * (size + random.uniform(-0.3, 0.3)) for size in (6, 2))
    pen.ellipse((x - outer, y - outer, x + outer, y + outer), fill=190)
    if fault != "no hole":
        pen.ellipse((x - inner, y - inner, x + inner, y + inner), fill=40)
    if fault == "scratch":
        angle = random.uniform(0, np.pi)
        dx, dy = 4 * scale * np.cos(angle), 4 * scale * np.sin(angle)
        far = 3 * scale
        pen.line((x - dx + far, y - dy, x + dx + far, y + dy), fill=90, width=scale)
    if fault == "spot":
        at = x + 4 * scale * random.choice([-1, 1])
        pen.ellipse((at - scale, y - scale, at + scale, y + scale), fill=90)
    small: NDArray[np.float64] = np.array(picture.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    brushed = random.normal(0, 6, (SIDE, 1)) + random.normal(0, 4, (SIDE, SIDE))
    return Image.fromarray(np.clip(small + brushed, 0, 255).astype(np.uint8))


def make_parts(folder: Path, count: int) -> tuple[Path, Path]:
    """Folders of good and of bad parts."""
    random = np.random.default_rng(0)
    for kind in ("good", "bad"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        part(random).save(folder / "good" / f"{number:04d}.png")
    for number in range(count // 10):
        fault = ("scratch", "spot", "no hole")[number % 3]
        part(random, fault).save(folder / "bad" / f"{fault.replace(' ', '-')}-{number:04d}.png")
    return folder / "good", folder / "bad"


def main() -> None:
    """Train on good parts, score good and bad ones, and show where the bad ones are strange."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=Path, help="folder of pictures of good parts")
    parser.add_argument("--bad", type=Path, help="folder of pictures of bad parts")
    parser.add_argument("--count", type=int, default=1000, help="how many good parts are made, without --good")
    parser.add_argument("--size", type=int, default=SIDE, help="height and width the pictures are brought to")
    parser.add_argument("--levels", type=int, default=16, help="levels they are quantised to: noise costs nats")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("runs/production-line"), help="replaced if it exists")
    arguments = parser.parse_args()
    if any(
        given and given.resolve().is_relative_to(arguments.out.resolve()) for given in (arguments.good, arguments.bad)
    ):
        parser.error(f"--out {arguments.out} is replaced, and what was given lies in it; choose another folder")
    shutil.rmtree(arguments.out, ignore_errors=True)
    if (arguments.good is None) != (arguments.bad is None):
        parser.error("give both --good and --bad, or neither")
    folders = (arguments.good, arguments.bad)
    if arguments.good is None:
        folders = make_parts(arguments.out / "parts", arguments.count)
    size = (arguments.size, arguments.size)
    good, bad = (nx.open_images(folder, resize=size, mode="grey", levels=arguments.levels) for folder in folders)
    order = torch.randperm(len(good), generator=torch.Generator().manual_seed(0))
    valid, normal, fresh, training = (
        good.subset(part) for part in order.tensor_split([len(good) // 20, len(good) // 4, len(good) // 3])
    )

    torch.manual_seed(0)
    model = nx.build("gated-pixelcnn", image_shape=good.image_shape, levels=good.levels, features=32, layers=5)
    settings = nx.TrainingSettings(steps=arguments.steps, batch_size=16, learning_rate=2e-3, grids=0)
    print(f"training on {len(training)} good parts")
    nx.train(model, training, arguments.out / "run", valid, settings)
    model = nx.load(arguments.out / "run")

    tables = [nx.score(model, images, normal=normal, by="nats") for images in (fresh, bad)]
    scores = np.concatenate([table["nats"] for table in tables])
    area = roc_auc_score(np.repeat([0, 1], [len(fresh), len(bad)]), scores)
    alarms, found = (int((table["p_value"] <= FALSE_ALARMS).sum()) for table in tables)
    print(f"area under the ROC curve: {area:.3f}")
    print(f"called bad, at most {FALSE_ALARMS:.0%} false alarms promised by {len(normal)} good parts:")
    print(f"  {found} of {len(bad)} bad parts\n  {alarms} of {len(fresh)} good ones")

    strangest = np.argsort(-tables[1]["nats"])[:SHOWN]
    (arguments.out / "strangest").mkdir()
    for place, heat_map in enumerate(nx.heat_maps(model, bad.subset(strangest))):
        name = Path(bad.names[strangest[place]]).stem
        heat_map.save(arguments.out / "strangest" / f"{place}-{name}.png")
    print(f"the strangest bad parts, and the bits of each pixel: {arguments.out / 'strangest'}")


if __name__ == "__main__":
    main()
