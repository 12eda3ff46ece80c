"""Numbers of things, in words. No PyTorch here."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """The number, and what it is of, in the singular or the plural."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
