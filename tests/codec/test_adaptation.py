import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import few, many, sharper, tiny
from nextpixel.codec.adaptation import MOST, Change, _starts, adapted, cost, from_bytes, to_bytes
from nextpixel.coding.rans import TOTAL
from nextpixel.errors import DataError
from nextpixel.model_files.stored import stored_model


@pytest.fixture(scope="module")
def weights():
    return stored_model(sharper(tiny("local-pixelcnn", (1, 4, 5), 256, features=8)).eval()).weights


def changes_of(weights, scale, seed=0):
    random = np.random.default_rng(seed)
    return {
        name: Change(np.clip(random.laplace(0, scale, parameter.shape).round(), -MOST, MOST).astype(np.int64), 6)
        for name, parameter in weights.items()
    }


@few
@given(scale=st.sampled_from([0.02, 0.3, 1.0, 7.0, 300.0]), seed=st.integers(0, 99))
def test_changes_come_back(weights, scale, seed):
    changes = changes_of(weights, scale, seed)
    data = to_bytes(weights, changes)
    back = from_bytes(weights, data)
    assert set(back) == {name for name, change in changes.items() if change.steps.any()}
    for name, change in back.items():
        assert np.array_equal(change.steps, changes[name].steps)
        assert change.exponent == 6
    expected = sum(cost(change.steps) for change in changes.values()) / 8
    assert len(data) == pytest.approx(expected, abs=10)


def test_weights_are_changed_by_steps(weights):
    changes = changes_of(weights, 1.0)
    changed = adapted(weights, changes)
    for name, weight in weights.items():
        assert changed[name].dtype == np.float32
        assert np.array_equal(changed[name], weight + np.float32(changes[name].steps / 64))


def test_nothing_is_nothing(weights):
    assert to_bytes(weights, {}) == b""
    assert from_bytes(weights, b"") == {}
    assert adapted(weights, {}) == weights


@many
@given(zeros=st.integers(1, 255), decay=st.integers(0, 255))
def test_every_integer_has_a_share_whatever_the_header_says(zeros, decay):
    starts = _starts(zeros, decay)
    assert starts[0] == 0
    assert starts[-1] == TOTAL
    assert len(starts) == 2 * MOST + 2
    assert (np.diff(starts) >= 1).all()


def test_damage_is_noticed_or_harmless(weights):
    data = to_bytes(weights, changes_of(weights, 1.0))
    random = np.random.default_rng(0)
    for _ in range(60):
        mutated = bytearray(data)
        mutated[random.integers(len(mutated))] ^= 1 << random.integers(8)
        try:
            back = from_bytes(weights, bytes(mutated))
        except DataError:
            continue
        assert all(np.abs(change.steps).max() <= MOST for change in back.values())
    with pytest.raises(DataError):
        from_bytes(weights, data[:-3])
    with pytest.raises(DataError):
        from_bytes(weights, data[:1])
