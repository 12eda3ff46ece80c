import signal

import pytest
import torch

import nextpixel
from helpers.tiny_models import CONDITIONED

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
    torch.manual_seed(0)


@pytest.fixture(scope="session", params=nextpixel.models())
def family(request):
    """Every registered family: a test that takes it runs for each of them, also for those of tomorrow."""
    return request.param


CONDITIONAL = [family + CONDITIONED for family in nextpixel.models() if family != "autoencoder"]


@pytest.fixture(scope="session", params=[*nextpixel.models(), *CONDITIONAL])
def variant(request):
    """Every registered family, without a condition and, but for the autoencoder, on everything at once."""
    return request.param
