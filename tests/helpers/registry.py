"""Families that a test registers are gone after it."""

from collections.abc import Iterator
from contextlib import contextmanager

from nextpixel.families.registry import FAMILIES
from nextpixel.plan.lowering.families import LOWERINGS


@contextmanager
def kept_registry() -> Iterator[None]:
    """Restore the families and their lowerings afterwards."""
    registries = (FAMILIES, LOWERINGS)
    before = [dict(registry) for registry in registries]
    try:
        yield
    finally:
        for registry, entries in zip(registries, before, strict=True):
            registry.clear()
            registry.update(entries)
