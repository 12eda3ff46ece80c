"""Train a local PixelCNN on random pixels of prepared photographs (gather.py), as nextpixel/photographs was trained.

A step takes some thousand pixels of all pictures, each with its window, where crops would have neighbours that are
alike. It is a function of the seed and the step, and every checkpoint holds all that the next step depends on, so a
training that was killed ends with the same bits when it is started again.

    .venv/bin/python examples/photographs/train.py --pictures runs/photographs/pictures --out runs/photographs/run

On a GPU the pictures lie in its memory, and a step takes hardly longer with `--pixels 32768`.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import nextpixel as nx

WARM_UP = 300
LEAST_RATE = 0.01
"""Of the learning rate, at the end."""


class Photographs:
    """Pictures with what stands beyond their edges, one after the other.

    Args:
        folder: of PNG files.
        model: whose windows are taken, on the device where the pictures are to be.
    """

    def __init__(self, folder: Path, model: nx.ImageModel) -> None:
        canvases, strides, sizes = [], [], []
        for path in sorted(folder.glob("*.png")):
            with Image.open(path) as file:
                pixels = np.asarray(file.convert("RGB"))
            height, width, _ = pixels.shape
            known = np.concatenate([pixels.reshape(-1, 3), np.full((1, 3), model.beyond, np.uint8)])
            canvas = known[model.window.sources(height, width)]
            canvases.append(canvas.reshape(-1, 3))
            strides.append(canvas.shape[1])
            sizes.append((height, width))
        if not canvases:
            raise SystemExit(f"{folder} holds no .png files; make them with gather.py")
        device = model.device
        self.canvas = torch.from_numpy(np.concatenate(canvases)).to(device)
        self.first = torch.tensor(np.cumsum([0, *map(len, canvases)]), device=device)
        self.strides, self.sizes = torch.tensor(strides, device=device), torch.tensor(sizes, device=device)
        self.ends = self.sizes.prod(dim=1).cumsum(dim=0)
        self.reach = model.window.reach
        self.down, self.right = torch.tensor(model.window.offsets, device=device).T

    def _places(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Where pixels stand on the canvas, and the strides there."""
        numbers = numbers.to(self.canvas.device)
        picture = torch.searchsorted(self.ends, numbers, right=True)
        within = numbers - (self.ends[picture] - self.sizes[picture].prod(dim=1))
        width, stride = self.sizes[picture, 1], self.strides[picture]
        row, column = within // width, within % width
        return self.first[picture] + (row + self.reach) * stride + column + self.reach, stride

    def windows(self, numbers: Tensor) -> Tensor:
        """The windows of pixels, `[N, n, 3]`."""
        place, stride = self._places(numbers)
        return self.canvas[place[:, None] + self.down * stride[:, None] + self.right]

    def values(self, numbers: Tensor) -> Tensor:
        """The pixels themselves, `[N, 3]`."""
        return self.canvas[self._places(numbers)[0]]

    def __len__(self) -> int:
        return int(self.ends[-1])


def rate(step: int, arguments: argparse.Namespace) -> float:
    """The learning rate of a step: it rises, stays, and falls in a line."""
    left = (arguments.steps - step) / max(1, arguments.falling)
    return arguments.learning_rate * min(1.0, (step + 1) / WARM_UP) * min(1.0, max(LEAST_RATE, left))


def main() -> None:
    """Train, from the last checkpoint where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path("runs/photographs/pictures"))
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--falling", type=int, default=24_000, help="steps at the end in which the rate falls to 0")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--pixels", type=int, default=4096, help="in a step")
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--start-from", type=Path, help="a model folder of as many features and layers to begin with")
    parser.add_argument("--every", type=int, default=1000, help="steps between two checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/photographs/run"))
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    options = {"features": arguments.features, "layers": arguments.layers}
    model = nx.build("local-pixelcnn", image_shape=(3, 64, 64), levels=256, **options)
    if arguments.start_from is not None:
        model.load_state_dict(nx.load(arguments.start_from).state_dict())
    model.to(arguments.device)
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), arguments.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint, step = arguments.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=arguments.device, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        print(f"from step {step}")
    photographs = Photographs(arguments.pictures, model)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{len(photographs) / 1e6:.2f} million pixels, {parameters:,} parameters")
    # Read at checkpoints only: a GPU would wait for every number that is asked for.
    bits: list[Tensor] = []
    while step < arguments.steps:
        random = np.random.default_rng([arguments.seed, step])
        numbers = torch.from_numpy(random.integers(0, len(photographs), arguments.pixels))
        loss = -model.log_prob_at(photographs.windows(numbers), photographs.values(numbers)).mean() / math.log(2)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, arguments)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        bits.append(loss.detach())
        decay = min(0.999, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(weight, 1 - decay)
        if step % arguments.every == 0 or step == arguments.steps:
            state = {"model": model.state_dict(), "average": average.state_dict()}
            # Whole or not at all: a run that is stopped meanwhile goes on from the last one.
            unfinished = checkpoint.with_suffix(".part")
            torch.save(state | {"optimizer": optimizer.state_dict(), "step": step}, unfinished)
            unfinished.replace(checkpoint)
            print(f"step {step}: {float(torch.stack(bits).mean()):.4f} bits per sub-pixel", flush=True)
            bits = []
    average.cpu().eval().save(arguments.out / "model")
    print(f"the model: {arguments.out / 'model'}")


if __name__ == "__main__":
    main()
