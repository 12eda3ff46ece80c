import numpy as np
import pytest

from nextpixel.errors import ModelError
from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.consistency import check_consistent
from nextpixel.plan.operations import Image, Part, Program, Sum, Tap

LEVELS = 4


def program(tap):
    """Logits that one place beside the pixel gives."""
    image = Image("image", ChannelGroups.split(1, 1), np.zeros((LEVELS, 1)))
    logits = Sum(
        "logits",
        ChannelGroups.split(LEVELS, 1),
        parts=(Part("image", (tap,)),),
        bias=np.zeros((1, LEVELS)),
        scale=np.ones(LEVELS),
        largest=1,
    )
    return Program((image, logits), LEVELS, 1, 8)


@pytest.mark.parametrize(("row", "column"), [(-255, 0), (-255, 255), (-1, -255), (0, -1)])
def test_no_sum_reads_further_away_than_a_kernel_is_long(row, column):
    weight = np.zeros((LEVELS, 1))
    check_consistent(program(Tap(row, column, weight)), conditions=1)
    for further in (Tap(-256, column, weight), Tap(row, 256, weight), Tap(row, -256, weight)):
        with pytest.raises(ModelError, match="the weights of the model"):
            check_consistent(program(further), conditions=1)


@pytest.mark.parametrize("shape", [(LEVELS, 2), (LEVELS - 1, 1), (LEVELS,)])
def test_weights_of_other_shapes_are_refused(shape):
    with pytest.raises(ModelError, match="the weights of the model"):
        check_consistent(program(Tap(0, -1, np.zeros(shape))), conditions=1)
