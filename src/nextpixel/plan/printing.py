"""A program as text for people: what is computed, when, from what, and in which numbers."""

from __future__ import annotations

from collections.abc import Iterator

from nextpixel.plan.operations import Add, Cell, Given, Image, Operation, Part, Program, Sum, Summing, Tap
from nextpixel.plan.schedule import Phase, phases

NAMES = {Phase.ABOVE: "above", Phase.STEP: "step", Phase.LATE: "late"}


def lines_of(program: Program) -> Iterator[str]:
    """The lines: first what the phases mean, then one for each operation, in their order, scale after scale."""
    for phase, name in NAMES.items():
        yield f"{name:6} {phase.value}"
    for scale in program.scales:
        if program.smaller is not None:
            yield "the whole image" if scale.stride == 1 else f"one of {scale.stride} rows and columns"
        yield from _lines_of_scale(scale)


def _lines_of_scale(program: Program) -> Iterator[str]:
    layers = () if program.smaller is None else program.smaller.layers
    width = max(map(len, [*program.by_name, *(layer.name for layer in layers)]))
    source = "the smaller image"
    for layer in layers:
        down, across = layer.stride
        enlarged = "convolution" if down == across == 1 else f"{down} x {across} enlargement"
        text = f"elu of a {enlarged} of {source}, within {layer.largest}, in float64"
        yield f"{'':6} {layer.name:{width}}  {len(layer.bias):5}  {text}"
        source = layer.name
    when = phases(program)
    for operation in program.operations:
        name = NAMES[when[operation.name]]
        yield f"{name:6} {operation.name:{width}}  {operation.groups.channels:5}  {_text(operation)}"


def _text(operation: Operation) -> str:
    """What an operation does."""
    if isinstance(operation, Image):
        return "the image"
    if isinstance(operation, Given):
        return "known before the image"
    if isinstance(operation, Sum):
        parts = " + ".join(map(_part, operation.parts))
        return f"sum of {parts}, within {operation.largest}{_carrier(operation)}"
    if isinstance(operation, Cell):
        parts = " + ".join(map(_part, operation.parts))
        return f"LSTM cells of {parts} + themselves {_taps(operation.taps)}{_carrier(operation)}"
    kind = {"Rectify": "relu", "ExponentialUnit": "elu"}.get(type(operation).__name__, type(operation).__name__.lower())
    bound = f", within {operation.largest}" if isinstance(operation, Add) else ""
    return f"{kind} of {' and '.join(operation.sources)}{bound}"


def _part(part: Part) -> str:
    return f"{part.source} {_taps(part.taps)}"


def _taps(taps: tuple[Tap, ...]) -> str:
    """The rows and columns that are read, beside the pixel's."""
    rows, columns = ({tap.row for tap in taps}, {tap.column for tap in taps})
    return f"[rows {min(rows)}..{max(rows)}, columns {min(columns)}..{max(columns)}]"


def _carrier(operation: Summing) -> str:
    return ", in float64" if operation.wide else ", in float32"
