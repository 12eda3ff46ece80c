"""The slow ways that benchmarks/recurrence.py compares with compute what the models do."""

import argparse

import pytest
import torch

from helpers.scripts import load_script

RECURRENCE = load_script("benchmarks/recurrence.py")


@pytest.mark.parametrize(("family", "way"), [(name, way) for name, ways in RECURRENCE.FAMILIES.items() for way in ways])
def test_every_way_takes_the_same_step(family, way):
    arguments = argparse.Namespace(features=4, layers=2, batch_size=2)
    images = torch.randint(2, (3, 1, 4, 4), dtype=torch.uint8)
    nats = []
    for function in (None, RECURRENCE.FAMILIES[family][way]):
        step, model = RECURRENCE.make_step(family, 4, arguments, function)
        step()
        nats.append(model.log_prob(images))
    torch.testing.assert_close(nats[0], nats[1], rtol=1e-3, atol=1e-3)
