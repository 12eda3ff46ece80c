"""How long a model is fitted to pictures; that files become smaller is seen in test_local_codec."""

from itertools import pairwise

import pytest

from nextpixel.codec.fitting import EFFORTS, MOST_TIMES, USUAL_PIXELS, steps_of


@pytest.mark.parametrize("effort", EFFORTS)
def test_more_pixels_get_more_steps_up_to_a_limit(effort):
    steps = [steps_of(effort, count) for count in (1, USUAL_PIXELS, 2 * USUAL_PIXELS, 10**9)]
    assert steps == [EFFORTS[effort].steps * times for times in (1, 1, 2, MOST_TIMES)]


@pytest.mark.parametrize("count", [0, 10**5, 10**6, 10**8])
def test_more_effort_is_more_steps_or_more_weights(count):
    plans = [(len(plan.parts or "all of them"), steps_of(effort, count)) for effort, plan in sorted(EFFORTS.items())]
    assert all(less <= more for less, more in pairwise(plans[4:]))
    assert plans[0][1] == 0 < plans[1][1] < plans[2][1] <= plans[3][1]
