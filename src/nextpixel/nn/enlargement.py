"""The sizes of the deconvolutions that enlarge a map (`nextpixel.nn.conditioning`)."""

from __future__ import annotations

import math

LARGEST_STRIDE = 5
"""Of a deconvolution."""


def padding(stride: int) -> int:
    """By how many places a kernel reaches over those that lie at a place of the smaller map, on either side."""
    return max(1, stride // 2)


def kernel_side(stride: int) -> int:
    """The side of a deconvolution's kernel; that of a stride of 1 is a convolution's."""
    return stride + 2 * padding(stride)


STRIDE_OF_KERNEL = {kernel_side(stride): stride for stride in range(1, LARGEST_STRIDE + 1)}
"""The stride that belongs to a side of a kernel."""


def strides(down: int, across: int) -> list[tuple[int, int]]:
    """Strides of the deconvolutions: prime factors of both enlargements, side by side; at least one stage.

    An enlargement with a large prime factor is replaced by the next one without, as the result is cut off anyway.
    """
    factors = []
    for enlargement in (down, across):
        while math.prod(_small_primes(enlargement)) < enlargement:
            enlargement += 1
        factors.append(_small_primes(enlargement))
    count = max(1, *map(len, factors))
    height, width = ([1] * (count - len(primes)) + primes for primes in factors)
    return list(zip(height, width, strict=True))


def _small_primes(number: int) -> list[int]:
    """The prime factors up to `LARGEST_STRIDE`."""
    factors = []
    for divisor in range(2, LARGEST_STRIDE + 1):
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
    return factors
