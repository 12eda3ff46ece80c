"""Whatever callers hand in becomes the same numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as arrays

from nextpixel.errors import InputError
from nextpixel.nn.tensors import as_tensor

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0)
INTEGERS = arrays.integer_dtypes(endianness="?") | arrays.unsigned_integer_dtypes(endianness="?", sizes=(8, 16, 32))


@given(arrays.arrays(INTEGERS, SHAPES))
def test_integers_of_any_kind_and_byte_order_keep_their_values(array):
    for given_as in (array, array.T, array[..., ::-1] if array.ndim else array, array.tolist()):
        found = as_tensor(given_as, "images")
        assert found.tolist() == np.asarray(given_as).tolist()
        assert found.shape == np.shape(given_as)


@given(arrays.arrays(arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)), SHAPES))
def test_floats_keep_their_values_and_size(array):
    found = as_tensor(array, "vectors")
    assert np.array_equal(found.numpy(), array, equal_nan=True)
    assert found.element_size() == array.itemsize


def test_a_tensor_comes_back_itself_and_memory_is_shared_where_it_may_be():
    tensor, array = torch.zeros(2), np.zeros(2)
    assert as_tensor(tensor, "images") is tensor
    array[1] = 7
    assert as_tensor(array, "images").data_ptr() == array.ctypes.data
    array.flags.writeable = False
    assert as_tensor(array, "images").data_ptr() != array.ctypes.data


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "must be numbers in a tensor, an array or a list, not NoneType"),
        ("abc", "must be numbers in a tensor, an array or a list, not str"),
        (object(), "must be numbers in a tensor, an array or a list, not object"),
        ({"a": 1}, "must be numbers in a tensor, an array or a list, not dict"),
        (["cat", "dog"], "must be numbers in a tensor, an array or a list, not list of <U3"),
        ([[1], [1, 2]], r"must be numbers in a tensor, an array or a list, all of one shape \("),
        (np.array([2**64 - 1], np.uint64), "hold 18446744073709551615, which is too large"),
        pytest.param(
            np.zeros(2, np.longdouble),
            "of float128 cannot be a tensor",
            marks=pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="there are no longer floats"),
        ),
    ],
)
def test_what_holds_no_numbers_is_refused_by_name(value, told):
    with pytest.raises(InputError, match=f"^my images {told}"):
        as_tensor(value, "my images")
