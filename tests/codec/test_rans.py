import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.codec.rans import FIRST, PRECISION, TOTAL, LaneDecoder, encode_lanes
from nextpixel.errors import DataError


def random_shares(seed, longest, lanes, extreme):
    """Starts and frequencies of random symbols of random distributions."""
    random = np.random.default_rng(seed)
    if extreme:
        frequencies = random.choice([1, 2, TOTAL // 2, TOTAL - 1, TOTAL], (longest, lanes))
    else:
        frequencies = random.integers(1, TOTAL + 1, (longest, lanes))
    starts = (random.random((longest, lanes)) * (TOTAL - frequencies + 1)).astype(np.int64)
    return starts.astype(np.uint32), frequencies.astype(np.uint32)


def reference_decode(stream, starts, frequencies):
    """The format in plain integers, one symbol after the other."""
    x = int.from_bytes(stream[:6], "little")
    at = min(6, len(stream))
    for start, frequency in zip(starts.tolist(), frequencies.tolist(), strict=True):
        slot = x % TOTAL
        assert start <= slot < start + frequency
        x = frequency * (x >> PRECISION) + slot - start
        while x < FIRST and at < len(stream):
            x = x << 16 | int.from_bytes(stream[at : at + 2], "little")
            at += 2
    assert (x, at) == (0, len(stream))


@many
@given(
    seed=st.integers(0, 999), longest=st.integers(0, 40), lanes=st.integers(1, 6), extreme=st.booleans(), data=st.data()
)
def test_what_is_encoded_is_decoded_by_both_decoders(seed, longest, lanes, extreme, data):
    starts, frequencies = random_shares(seed, longest, lanes, extreme)
    lengths = data.draw(st.lists(st.integers(0, longest), min_size=lanes, max_size=lanes))
    streams = encode_lanes(starts, frequencies, lengths)
    decoder = LaneDecoder(streams)
    for position in range(longest):
        active = np.flatnonzero(np.array(lengths) > position)
        slots = decoder.slots(active)
        own = starts[position, active].astype(np.int64), frequencies[position, active].astype(np.int64)
        assert ((own[0] <= slots) & (slots < own[0] + own[1])).all()
        decoder.advance(active, *own)
    decoder.finish()
    for lane, stream in enumerate(streams):
        reference_decode(stream, starts[: lengths[lane], lane], frequencies[: lengths[lane], lane])


@many
@given(seed=st.integers(0, 999))
def test_a_lane_costs_its_information_and_a_few_bytes(seed):
    starts, frequencies = random_shares(seed, 300, 3, False)
    information = -np.log2(frequencies / TOTAL).sum(axis=0) / 8
    for stream, least in zip(encode_lanes(starts, frequencies, [300] * 3), information, strict=True):
        assert least - 1e-9 <= len(stream) <= least + 5


def test_impossible_streams_are_refused():
    for streams in ([bytes(1)], [bytes(5)], [bytes(6)], [bytes(7)], [b"x" * 7], [b"x" * 9], [b"xxxx" + bytes(4)]):
        with pytest.raises(DataError):
            LaneDecoder(streams)


def test_a_stream_that_ends_too_early_or_too_late_is_noticed():
    starts, frequencies = random_shares(1, 50, 1, False)
    (stream,) = encode_lanes(starts, frequencies, [50])

    def decode(data):
        decoder = LaneDecoder([data])
        for position in range(50):
            decoder.advance(
                np.zeros(1, np.int64), starts[position].astype(np.int64), frequencies[position].astype(np.int64)
            )
        decoder.finish()

    decode(stream)
    for damaged in (stream[:-2], stream + bytes(2), stream[:-2] + bytes([stream[-2] ^ 1, stream[-1]])):
        with pytest.raises(DataError):
            decode(damaged)
