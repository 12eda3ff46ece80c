import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.coding import rans
from nextpixel.coding.rans import FIRST, FREE_BITS, PRECISION, TOTAL, LaneDecoder, encode_lanes, overdrawn
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
@given(
    seed=st.integers(0, 999), longest=st.integers(0, 40), lanes=st.integers(1, 6), extreme=st.booleans(), data=st.data()
)
def test_few_lanes_and_many_are_encoded_alike(seed, longest, lanes, extreme, data):
    starts, frequencies = random_shares(seed, longest, lanes, extreme)
    lengths = data.draw(st.lists(st.integers(0, longest), min_size=lanes, max_size=lanes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rans, "SYMBOLS_AT_ONCE", 7)
        few = encode_lanes(starts, frequencies, lengths)
        patch.setattr(rans, "MANY_LANES", 0)
        assert encode_lanes(starts, frequencies, lengths) == few


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


def levels(symbols, frequency):
    """Symbols 0 and 1 of lanes, of which 0 has the frequency: starts and frequencies, uint32 `[longest, lanes]`."""
    starts = np.where(symbols == 0, 0, frequency).astype(np.uint32)
    return starts, np.where(symbols == 0, frequency, TOTAL - frequency).astype(np.uint32)


def decoded(stream, starts, frequencies, **options):
    """Take the symbols of one lane as long as the decoder likes; how many it took."""
    decoder = LaneDecoder([stream], **options)
    lane = np.array([0])
    for position, (start, frequency) in enumerate(zip(starts[:, 0], frequencies[:, 0], strict=True)):
        try:
            decoder.check()
        except DataError:
            return position
        decoder.advance(lane, np.array([start], np.int64), np.array([frequency], np.int64))
    decoder.finish()
    return len(starts)


def test_a_dry_lane_is_given_up_soon_and_its_encoder_knows():
    """A single 1 at the end and half a bit for each 0 before it: the coder takes three bytes for 10,000 bits."""
    symbols = np.zeros((20_000, 1), np.int64)
    symbols[-1] = 1
    # Where the 1 begins, the other zeros are not over yet.
    frequency = np.full((20_000, 1), round(TOTAL * 2**-0.5))
    frequency[-1] = TOTAL // 4
    starts, frequencies = levels(symbols, frequency)
    (stream,) = encode_lanes(starts, frequencies, [len(symbols)])
    assert len(stream) == 3 and overdrawn([stream], starts, frequencies, [len(symbols)]).tolist() == [True]
    assert 2 * FREE_BITS < decoded(stream, starts, frequencies) < 2 * FREE_BITS + 1000
    assert decoded(stream, starts, frequencies, trusted=True) == len(symbols)


@many
@given(seed=st.integers(0, 999), length=st.integers(1, 3000), chance=st.sampled_from([0.0, 0.001, 0.1]))
def test_what_an_encoder_does_not_overdraw_is_decoded(seed, length, chance):
    random = np.random.default_rng(seed)
    symbols = (random.random((length, 1)) < chance).astype(np.int64)
    starts, frequencies = levels(symbols, random.integers(TOTAL // 4, TOTAL - 1, (length, 1)))
    (stream,) = encode_lanes(starts, frequencies, [length])
    if not overdrawn([stream], starts, frequencies, [length]).any():
        assert decoded(stream, starts, frequencies) == length


def test_a_finished_lane_gives_zeros():
    starts, frequencies = levels(np.zeros((50, 2), np.int64), TOTAL // 3)
    assert encode_lanes(starts, frequencies, [50, 50]) == [b"", b""]
    assert LaneDecoder([b"", b""]).finished
    assert not LaneDecoder([b"", b"\1"]).finished and not LaneDecoder([bytes(4) + b"\1\0\0\0"]).finished
