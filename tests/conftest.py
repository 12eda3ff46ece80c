import os
import signal
from collections import defaultdict

import pytest
import torch

import nextpixel
from helpers.tiny_models import VARIANTS, seed

# pytest explains failed asserts of test modules only, unless it is told.
pytest.register_assert_rewrite("helpers.training_runs")


# A shell starts what runs in its background with Ctrl-C ignored, and nohup ignores the end of the terminal; both are
# under test, also in the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    """One thread and one seed, so that a test says the same on every machine."""
    torch.set_num_threads(1)
    seed(0)


@pytest.fixture(scope="session", params=nextpixel.models())
def family(request):
    """Every registered family: a test that takes it runs for each of them, also for those of tomorrow."""
    return request.param


@pytest.fixture(params=["gated-pixelcnn", "local-pixelcnn", "multiscale", "row-lstm"])
def some_family(request):
    """A family of convolutions, one for any size, one with models inside and one with a recurrence.

    For tests that are slow, or of what hardly depends on the family.
    """
    return request.param


SAMPLED = ("locally-masked", "pixelcnn++", "pixelsnail")
ONE_IN = 6


def pytest_collection_modifyitems(config, items):
    """Of families that came later, each test takes one case in six, another one of each family.

    What the cases differ in (shapes, levels, options) is tried on the first families in full, and the parts that these
    have alone in tests of their own. With `NEXTPIXEL_ALL_CASES=1` all cases of all families are taken.
    """
    # A browser's tests are slow and share a server: at the end one process would wait for the other.
    items.sort(key=lambda item: "web" not in item.path.parts)
    if os.environ.get("NEXTPIXEL_ALL_CASES"):
        return
    cases = defaultdict(list)
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        name = str(parameters.get("variant") or parameters.get("family") or parameters.get("conditional"))
        if name.startswith(SAMPLED):
            cases[item.path, item.originalname, name].append(item)
    dropped = set()
    for (_, _, name), of_a_test in cases.items():
        first = next(place for place, family in enumerate(SAMPLED) if name.startswith(family)) % len(of_a_test)
        dropped.update(item for place, item in enumerate(of_a_test) if place % ONE_IN != first % ONE_IN)
    config.hook.pytest_deselected(items=list(dropped))
    items[:] = [item for item in items if item not in dropped]


@pytest.fixture(scope="session", params=VARIANTS)
def variant(request):
    """Every registered family, without a condition and, but for the autoencoder, on everything at once."""
    return request.param
