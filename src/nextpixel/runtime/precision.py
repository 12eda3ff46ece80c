"""Modes that hold for a while: evaluation, and on GPUs full float32 and the same bits every time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, Protocol, TypeVar

import torch
from torch import nn

P = ParamSpec("P")
R = TypeVar("R")


class HasModes(Protocol):
    """A module, or what is used as one."""

    def modules(self) -> Iterator[nn.Module]:
        """It and all its parts."""

    def eval(self) -> object:
        """Put it into evaluation mode."""


@contextmanager
def evaluating(model: HasModes) -> Iterator[None]:
    """Put a model into evaluation mode, and every part of it back into its own mode afterwards."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


class Shared:
    """A setting of the whole process: the first thread that needs it otherwise changes it, the last one restores it.

    Args:
        change: changes it, and returns what restores it.
    """

    def __init__(self, change: Callable[[], Callable[[], None]]) -> None:
        self.change = change
        self.lock, self.users = threading.Lock(), 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, it is as `change` makes it."""
        with self.lock:
            if not self.users:
                self.restore = self.change()
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if not self.users:
                    self.restore()


def _without_tf32() -> Callable[[], None]:
    # The types of PyTorch do not know these parts of the module.
    cudnn: Any = torch.backends.cudnn
    before = (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision)

    def take(precision: tuple[str, str]) -> None:
        # PyTorch has an older switch for both as well, and stumbles where it does not agree with them.
        cudnn.allow_tf32 = "tf32" in precision
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = precision

    take(("ieee", "ieee"))
    return functools.partial(take, before)


_TF32 = Shared(_without_tf32)


def full_float32() -> AbstractContextManager[None]:
    """Inside, float32 maps are convolved in float32 on GPUs.

    By default PyTorch convolves them in TF32, which keeps 10 of float32's 23 bits. Likelihoods would differ from a
    CPU's in the fourth digit, and those of images drawn step by step from those of the same images scored at once.
    Products of matrices are in full float32 by default. The mode is cuDNN's and holds for all threads meanwhile.
    """
    return _TF32.held()


@contextmanager
def repeatable() -> Iterator[None]:
    """Let cuDNN take only algorithms that give the same bits every time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def in_full_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The function, inside `full_float32` whenever it is called."""

    @functools.wraps(function)
    def inside(*arguments: P.args, **options: P.kwargs) -> R:
        # A compiled graph would break here. Training, which compiles, has the mode for all of a run.
        if torch.compiler.is_compiling():
            return function(*arguments, **options)
        with full_float32():
            return function(*arguments, **options)

    return inside
