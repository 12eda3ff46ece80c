"""Products of matrices inside compiled code: a tile of points and outputs stays in registers over all inputs.

    totals[point, output] += sum over inputs of maps[point, input] * weights[input, output]

Outputs are padded to `LANES`. A loop in Python that numba compiles would load and store every total once an input; this
is written for LLVM, which makes of a vector of `LANES` what the processor has. A total is added up input by input,
whatever the tile, so that a point does not depend on its neighbours. It can be imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES = 8

Function = TypeVar("Function", bound=Callable[..., object])
Floats = NDArray[np.float32] | NDArray[np.float64]


def compiled(function: Function) -> Function:
    """Compile a function when it is first called, and keep the result on disk."""
    result: Function = njit(cache=True, nogil=True, _nrt=False, error_model="numpy", fastmath={"contract"})(function)
    return result


def _tile(points: int, vectors: int) -> Callable[..., None]:
    """What adds a product to a tile of so many points and `LANES * vectors` outputs; see `add_product`."""

    def tile(
        typing: object,
        totals: types.Array,
        first: types.Integer,
        between: types.Integer,
        maps: types.Array,
        place: types.Integer,
        channels: types.Integer,
        weights: types.Array,
        start: types.Integer,
        width: types.Integer,
        inputs: types.Integer,
    ) -> tuple[Signature, Callable[..., ir.Value]]:
        def code(
            context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: tuple[ir.Value, ...]
        ) -> ir.Value:
            arrays = {n: context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 3, 6)}
            first, between, place, channels, start, width, inputs = (
                values[n] for n in range(len(values)) if n not in arrays
            )
            number, size = context.get_value_type(totals.dtype), totals.dtype.bitwidth // 8
            vector = ir.VectorType(number, LANES)
            same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)

            def at(array: int, index: ir.Value) -> ir.Value:
                return builder.gep(arrays[array], [index])

            def vector_at(array: int, index: ir.Value) -> ir.Value:
                return builder.bitcast(at(array, index), vector.as_pointer())

            def plus(index: ir.Value, more: ir.Value, times: int = 1) -> ir.Value:
                return builder.add(index, builder.mul(more, ir.Constant(more.type, times)))

            lanes = ir.Constant(first.type, LANES)
            corners = [plus(plus(first, between, point), lanes, v) for point in range(points) for v in range(vectors)]
            places = [plus(place, channels, point) for point in range(points)]
            sums = [
                cgutils.alloca_once_value(builder, builder.load(vector_at(0, corner), align=size)) for corner in corners
            ]
            with cgutils.for_range(builder, inputs) as loop:
                row = builder.add(start, builder.mul(loop.index, width))
                factors = [builder.load(vector_at(6, plus(row, lanes, v)), align=size) for v in range(vectors)]
                for point in range(points):
                    value = builder.load(at(3, builder.add(places[point], loop.index)))
                    if maps.dtype != totals.dtype:
                        value = builder.fpext(value, number)
                    undefined = ir.Constant(vector, ir.Undefined)
                    value = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
                    value = builder.shuffle_vector(value, undefined, same)
                    for v in range(vectors):
                        total = sums[point * vectors + v]
                        product = builder.fmul(value, factors[v], flags=("contract",))
                        builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for total, corner in zip(sums, corners, strict=True):
                builder.store(builder.load(total), vector_at(0, corner), align=size)
            return context.get_dummy_value()

        index = types.intp
        signature = types.void(totals, index, index, maps, index, index, weights, index, index, index)
        return signature, code

    result: Callable[..., None] = intrinsic(tile)
    return result


POINTS, WIDE, MEDIUM = 4, 8, 2
"""Of a tile: its points, and the vectors of outputs of the widest and of another one of a single point."""

_tile_of_points = _tile(POINTS, 2)
_narrow_tile_of_points = _tile(POINTS, 1)
_wide_row, _medium_row, _narrow_row = _tile(1, WIDE), _tile(1, MEDIUM), _tile(1, 1)


@compiled
def add_product(
    totals: Floats,
    first: int,
    maps: NDArray[np.float32],
    place: int,
    channels: int,
    weights: Floats,
    start: int,
    width: int,
    inputs: int,
    points: int,
) -> None:
    """Add a product of matrices.

    Args:
        totals: `[points, width]` from `first` on.
        first: see there.
        maps: `[points, channels]` from `place` on, of which the first `inputs` channels are read.
        place: see there.
        channels: see there.
        weights: `[inputs, width]` from `start` on, of the type of the totals.
        start: see there.
        width: outputs, a multiple of `LANES`.
        inputs: how many.
        points: how many.
    """
    point = 0
    while point + POINTS <= points:
        at, here, output = first + point * width, place + point * channels, 0
        while output + 2 * LANES <= width:
            _tile_of_points(totals, at + output, width, maps, here, channels, weights, start + output, width, inputs)
            output += 2 * LANES
        if output < width:
            _narrow_tile_of_points(
                totals, at + output, width, maps, here, channels, weights, start + output, width, inputs
            )
        point += POINTS
    while point < points:
        at, here, output = first + point * width, place + point * channels, 0
        while output + WIDE * LANES <= width:
            _wide_row(totals, at + output, width, maps, here, channels, weights, start + output, width, inputs)
            output += WIDE * LANES
        while output + MEDIUM * LANES <= width:
            _medium_row(totals, at + output, width, maps, here, channels, weights, start + output, width, inputs)
            output += MEDIUM * LANES
        if output < width:
            _narrow_row(totals, at + output, width, maps, here, channels, weights, start + output, width, inputs)
        point += 1
