from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.runtime.batching import batches


@many
@given(count=st.integers(0, 50), size=st.integers(1, 60))
def test_batches_cover_everything_once(count, size):
    parts = [range(count)[part] for part in batches(count, size)]
    assert [index for part in parts for index in part] == list(range(count))
    assert all(0 < len(part) <= size for part in parts)
