import json
import math

from hypothesis import given
from hypothesis import strategies as st

from nextpixel.runtime.strict_json import as_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


def without(value):
    """A value with None in the place of what JSON does not know."""
    if isinstance(value, dict):
        return {name: without(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@given(st.dictionaries(st.text(), VALUES, max_size=3))
def test_it_is_json_and_nothing_else_is_lost(record):
    assert json.loads(as_json(record), parse_constant=refuse) == without(record)
