import math

import pytest

from nextpixel.nn.enlargement import LARGEST_STRIDE, STRIDE_OF_KERNEL, kernel_side, strides


@pytest.mark.parametrize("down", range(1, 30))
@pytest.mark.parametrize("across", [1, 4, 7, 26])
def test_stages_enlarge_as_much_as_is_asked_for_and_hardly_more(down, across):
    stages = strides(down, across)
    for axis, asked in enumerate((down, across)):
        made = math.prod(stage[axis] for stage in stages)
        assert asked <= made < 2 * asked + 1
        assert all(1 <= stage[axis] <= LARGEST_STRIDE for stage in stages)


def test_a_kernel_tells_its_stride():
    assert {STRIDE_OF_KERNEL[kernel_side(stride)] for stride in range(1, LARGEST_STRIDE + 1)} == {1, 2, 3, 4, 5}
