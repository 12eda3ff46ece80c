"""Property tests whose examples are hostile: few of them in the suite, very many by `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("NEXTPIXEL_FUZZ", "1"))
"""How many times the usual number of examples is tried."""


def fuzzed(examples):
    """Settings with so many examples, the same every time in the suite, and others each time by `make fuzz`."""
    return settings(
        max_examples=examples * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
