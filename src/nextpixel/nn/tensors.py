"""What callers hand in, as a tensor."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nextpixel.errors import InputError


def as_tensor(value: object, what: str) -> Tensor:
    """Numbers in any form that NumPy understands, as a tensor; memory is shared where that is possible.

    Unsigned integers of more than 8 bits become int64, as PyTorch hardly computes with them. Other byte orders and
    arrays that run backwards are copied.

    Args:
        value: a tensor, an array, a number, or lists of them.
        what: how an error names it.

    Raises:
        InputError: it does not hold numbers.
    """
    if isinstance(value, Tensor):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{what} must be numbers in a tensor, an array or a list, all of one shape ({error})"
        ) from error
    if array.dtype.kind not in "biufc":
        of_what = f" of {array.dtype}" if array.ndim else ""
        raise InputError(f"{what} must be numbers in a tensor, an array or a list, not {type(value).__name__}{of_what}")
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "u" and dtype.itemsize > 1:
        if array.size and int(array.max()) > torch.iinfo(torch.int64).max:
            raise InputError(f"{what} hold {array.max()}, which is too large")
        dtype = np.dtype(np.int64)
    # PyTorch warns of memory that it may not write to, and refuses steps backwards, even of a single element.
    shareable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    try:
        return torch.from_numpy(array.astype(dtype, copy=not shareable))
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} of {dtype} cannot be a tensor; convert them first") from error
