"""Training speed of the PixelRNNs, as ratios to the same models written naively, and its growth with the image.

Two references share the weights of the models they are compared with: a loop over pixels, which is how the equations
read, and a loop over rows or skewed columns with PyTorch's autograd, which is how most implementations are written. A
step is a forward and a backward pass and an update. All variants take a step in turn, so that they meet the same moods
of the machine; the ratios are medians over the turns.

    python benchmarks/recurrence.py
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nextpixel as nx
from nextpixel.families.residual_network import ResidualNetwork
from nextpixel.nn.conditioning import Context
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.training.precision import placed
from timing import processor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers import naive_lstm

Core = RowLSTM | DiagonalBiLSTM


def lstm(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """A cell for maps `[B, 4h, places]`."""
    o, f, i, g = gates.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def by_rows(layer: RowLSTM, maps: Tensor) -> Tensor:
    """Row LSTM, a row at a time."""
    batch, _, height, width = maps.shape
    recurrence, reach = layer.recurrence, layer.reach
    gates = layer.input_to_state(maps)
    weight = recurrence.weight[:, 0].permute(1, 2, 0)
    h, c = (each[0][None, :, None].expand(batch, -1, width) for each in (recurrence.hidden, recurrence.memory))
    edge = h[:, :, :1].expand(-1, -1, reach)
    rows = []
    for row in range(height):
        h, c = lstm(gates[:, :, row] + F.conv1d(torch.cat([edge, h, edge], 2), weight), c)
        rows.append(h)
    return torch.stack(rows, dim=2)


def by_skewed_columns(layer: DiagonalBiLSTM, maps: Tensor) -> Tensor:
    """Diagonal BiLSTM, a column of the skewed map at a time, one direction after the other."""
    batch, _, height, width = maps.shape
    skewed_width = width + height - 1
    results: list[Tensor] = []
    for direction, each in enumerate((maps, maps.flip(3))):
        start = [part[direction][None, :, None] for part in (layer.recurrence.hidden, layer.recurrence.memory)]
        left, above = layer.recurrence.weight[:, direction]
        weight, bias = (
            part.chunk(2)[direction] for part in (layer.input_to_state.visible_weight, layer.input_to_state.bias)
        )
        # Rows that are one longer than the skewed ones move right by one from row to row, once laid end to end.
        rows = F.pad(F.conv2d(each, weight, bias), (0, height)).flatten(2)
        skewed = rows[:, :, : height * skewed_width].unflatten(2, (height, skewed_width))
        h, c = (part.expand(batch, -1, height) for part in start)
        row_above = start[0].expand(batch, -1, 1)
        begun = torch.arange(height, device=maps.device)
        columns = []
        for column in range(skewed_width):
            seen = left @ h + above @ torch.cat([row_above, h[:, :, :-1]], 2)
            h, c = lstm(skewed[:, :, :, column] + seen, c)
            columns.append(h)
            if column < height:
                # Rows that begin in a later column keep the initial state.
                h, c = (torch.where(begun <= column, now, part) for now, part in zip((h, c), start, strict=True))
        rows = F.pad(torch.stack(columns, dim=3).flatten(2), (0, height))
        result = rows.unflatten(2, (height, skewed_width + 1))[..., :width]
        results.append(result if direction == 0 else result.flip(3))
    return results[0] + F.pad(results[1][:, :, :-1], (0, 0, 1, 0))


class Slow(nn.Module):
    """A layer that computes another one's weights in another way."""

    def __init__(self, layer: Core, function: Callable[[Core, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, maps: Tensor, _context: Context | None = None) -> Tensor:
        """Run over the whole map, of a model without conditions."""
        return self.function(self.layer, maps)


FAMILIES = {
    "row-lstm": {"by pixels": naive_lstm.row_lstm, "by rows": by_rows},
    "diagonal-bilstm": {"by pixels": naive_lstm.diagonal_bilstm, "by skewed columns": by_skewed_columns},
}


def make_step(
    family: str, size: int, arguments: argparse.Namespace, function: Callable[[Core, Tensor], Tensor] | None = None
) -> tuple[Callable[[], None], nx.ImageModel]:
    """An optimiser step of a new model, and the model."""
    torch.manual_seed(0)
    model = placed(
        nx.build(family, image_shape=(1, size, size), levels=2, features=arguments.features, layers=arguments.layers)
    )
    if function is not None:
        assert isinstance(model, ResidualNetwork)
        for block in model.blocks:
            block.core = Slow(block.core, function)
    optimizer = torch.optim.RMSprop(model.parameters(), 1e-4)
    images = torch.randint(2, (arguments.batch_size, 1, size, size), dtype=torch.uint8)

    def step() -> None:
        optimizer.zero_grad()
        (-model.log_prob(images).mean()).backward()
        optimizer.step()

    return step, model


def timed(step: Callable[[], None]) -> float:
    """Seconds of a step."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def compare(family: str, arguments: argparse.Namespace) -> None:
    """Print the family's rows of the first table."""
    variants = {"nextpixel": None, **FAMILIES[family]}
    made = {name: make_step(family, arguments.size, arguments, function) for name, function in variants.items()}
    images = torch.randint(2, (2, 1, arguments.size, arguments.size))
    with torch.no_grad():
        results = [model.log_prob(images) for _, model in made.values()]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], atol=1e-3, rtol=1e-5)
    for name, (step, _) in made.items():
        for _ in range(2 if name == "nextpixel" else 1):
            step()
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(arguments.turns):
        for name, (step, _) in made.items():
            # The fast one several times, as it would drown in a mood of the machine.
            times[name].append(statistics.median(timed(step) for _ in range(5 if name == "nextpixel" else 1)))
    for name, each in times.items():
        ratio = statistics.median(slow / fast for slow, fast in zip(each, times["nextpixel"], strict=True))
        middle = statistics.median(each)
        print(
            f"{family:18}{name:20}{1000 * middle:12.0f}{arguments.batch_size / middle:11.1f}{ratio:10.1f}", flush=True
        )


def growth(family: str, arguments: argparse.Namespace) -> None:
    """Print the family's rows of the second table."""
    sizes = (14, 28, 56)
    steps = {size: make_step(family, size, arguments)[0] for size in sizes}
    times: dict[int, list[float]] = {size: [] for size in sizes}
    for turn in range(arguments.turns + 1):
        for size, step in steps.items():
            seconds = timed(step)
            if turn:
                times[size].append(seconds)
    for size in sizes:
        per_pixel = statistics.median(
            (own / size**2) / (base / sizes[0] ** 2) for own, base in zip(times[size], times[sizes[0]], strict=True)
        )
        print(
            f"{family:18}{size:4} x {size:<4}{1000 * statistics.median(times[size]):12.0f}{per_pixel:28.2f}", flush=True
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--layers", type=int, default=7)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{processor()}; {arguments.threads} thread(s); torch {torch.__version__}")
    print(f"{'':38}{'ms a step':>12}{'images/s':>11}{'ratio':>10}")
    for family in FAMILIES:
        compare(family, arguments)
    print(f"\n{'':29}{'ms a step':>12}{'a pixel, against 14 x 14':>28}")
    for family in FAMILIES:
        growth(family, arguments)


if __name__ == "__main__":
    main()
