"""What a library raised, as a part of a sentence. No PyTorch here."""

from __future__ import annotations


def one_line(error: BaseException, most: int = 300) -> str:
    """The type of an error and what it says, in one line of so many characters at most."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:most]
