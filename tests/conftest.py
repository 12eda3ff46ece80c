import pytest
import torch

import nextpixel


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    """One thread and one seed, so that a test says the same on every machine."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session", params=nextpixel.models())
def family(request):
    """Every registered family: a test that takes it runs for each of them, also for those of tomorrow."""
    return request.param
