"""Whether the weights of a program fit each other, so that no engine, compiled or not, reads beyond one of them.

A model that is loaded with PyTorch has the weights that its description says. Without PyTorch nothing but the lowering
looks at them, and a file can hold any.
"""

from __future__ import annotations

from nextpixel.errors import ModelError
from nextpixel.plan.operations import Add, Cell, Gate, Given, Image, Operation, Pointwise, Program, Summing, Tap
from nextpixel.runtime.validation import LONGEST_SIDE


def other_weights(part: str, reason: str = "") -> ModelError:
    """The error of a model whose weights, or those of a part of it, are not of the shapes that its description says."""
    why = f" ({reason})" if reason else ""
    return ModelError(f"the weights of {part} are not those that its description says{why}; copy its folder again")


def check_consistent(program: Program, conditions: int) -> None:
    """Refuse a program whose operations do not fit each other.

    Args:
        program: in integers; those of smaller scales are not looked at.
        conditions: how many rows biases have.

    Raises:
        ModelError: naming the operation.
    """
    channels = {operation.name: operation.groups.channels for operation in program.operations}
    ok = all(_fits(operation, channels, program, conditions) for operation in program.operations)
    last = program.operations[-1]
    if not ok or last.groups.channels != program.colours * program.levels or not _enlarges(program):
        raise other_weights("the model")


def _fits(operation: Operation, channels: dict[str, int], program: Program, conditions: int) -> bool:
    count = operation.groups.channels
    match operation:
        case Image():
            return operation.table.shape == (program.levels, count // program.colours)
        case Summing():
            outputs = 4 * count if isinstance(operation, Cell) else count
            taps = [(tap, channels[part.source]) for part in operation.parts for tap in part.taps]
            if isinstance(operation, Cell):
                taps += [(tap, count) for tap in operation.taps]
                if {operation.first_state.shape, operation.first_memory.shape} != {(count,)}:
                    return False
            shapes_fit = operation.bias.shape == (conditions, outputs) and operation.scale.shape == (outputs,)
            return shapes_fit and all(_reads(tap, outputs, inputs) for tap, inputs in taps)
        case Add():
            return channels[operation.left] == channels[operation.right] == count
        case Pointwise():
            return channels[operation.source] == (2 * count if isinstance(operation, Gate) else count)
    return isinstance(operation, Given)


def _reads(tap: Tap, outputs: int, inputs: int) -> bool:
    # Whatever the place of a pixel in its kernel, nothing in it is further away than the kernel is long.
    return tap.weight.shape == (outputs, inputs) and max(-tap.row, abs(tap.column)) <= LONGEST_SIDE


def _enlarges(program: Program) -> bool:
    """Whether the layers of an enlargement lead from the smaller image to what is given of places."""
    if program.smaller is None:
        return True
    inputs = program.colours
    for layer in program.smaller.layers:
        outputs = len(layer.bias)
        if layer.weight.shape[:2] != (outputs, inputs) or layer.scale.shape != (outputs,):
            return False
        inputs = outputs
    return all(operation.groups.channels == inputs for operation in program.operations if isinstance(operation, Given))
