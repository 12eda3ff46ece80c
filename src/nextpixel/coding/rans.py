"""The entropy coder: range asymmetric numeral systems (Duda 2013), several lanes beside each other.

A lane is one stream of symbols with a state x of its own. A symbol whose share of `TOTAL` is [start, start + frequency)
turns x into

    (x // frequency) * TOTAL + x % frequency + start

after words of 16 bits were moved from x to the stream until the result fits into 48 bits. The decoder undoes that step
by step, so what was encoded last is decoded first: the encoder goes through the symbols from the end. Lanes do not
depend on each other, and NumPy advances all of them at once where they are many; Python encodes a few sooner, one after
the other. Everything is integers of 64 bits.

The encoder begins with x = 0 and not, as usual, with the least state that words are moved from, 2^32: below it nothing
is moved, and the decoder, which arrives there last, knows it by having no word left. So a lane costs some three bytes
more than the information in its symbols, instead of five. Once a word was moved the state is 2^32 at least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import DataError

PRECISION = 22
TOTAL = 1 << PRECISION
WORD = 16
FIRST = 1 << 32
STATE_BYTES = 6
MOST_FREQUENCY_SHIFT = 32 + WORD - PRECISION
FREE_BITS, FREE_PARTS = 2048, 8
"""Information of the symbols of a dry lane: so much, and so many times the lane."""

MANY_LANES = 90
"""From so many on, NumPy encodes a symbol of each sooner than Python does it lane by lane."""

SYMBOLS_AT_ONCE = 2**14
"""That are Python's integers at the same time, which take much memory."""

ENCODED_PART = 0.9
"""The part of it that an encoder makes use of, so that no rounding of a logarithm parts it from a decoder."""

Integers = NDArray[np.uint64]


def encode_lanes(starts: NDArray[np.uint32], frequencies: NDArray[np.uint32], lengths: Sequence[int]) -> list[bytes]:
    """Encode lanes of symbols.

    Args:
        starts: uint32 `[longest, lanes]`: where the share of each symbol starts.
        frequencies: likewise, its length, at least 1.
        lengths: how many symbols each lane has.

    Returns:
        The bytes of each lane.
    """
    if starts.shape[1] < MANY_LANES:
        return [_encode_lane(starts[:length, lane], frequencies[:length, lane]) for lane, length in enumerate(lengths)]
    return _encode_together(starts, frequencies, lengths)


def _encode_lane(starts: NDArray[np.uint32], frequencies: NDArray[np.uint32]) -> bytes:
    """Encode one lane, in Python's integers."""
    state, words = 0, []
    for end in range(len(starts), 0, -SYMBOLS_AT_ONCE):
        part = slice(max(0, end - SYMBOLS_AT_ONCE), end)
        for start, frequency in zip(starts[part][::-1].tolist(), frequencies[part][::-1].tolist(), strict=True):
            limit = frequency << MOST_FREQUENCY_SHIFT
            while state >= limit:
                words.append(state & 0xFFFF)
                state >>= WORD
            state = (state // frequency << PRECISION) + state % frequency + start
    return _state_bytes(state, bool(words)) + np.array(words[::-1], "<u2").tobytes()


def _encode_together(
    starts: NDArray[np.uint32], frequencies: NDArray[np.uint32], lengths: Sequence[int]
) -> list[bytes]:
    """Encode lanes, a symbol of each at once."""
    count = starts.shape[1]
    ends = np.asarray(lengths)
    state = np.zeros(count, np.uint64)
    # At most two words leave a lane for one symbol.
    words = np.zeros((count, 2 * starts.shape[0] + 1), np.uint16)
    used = np.zeros(count, np.int64)
    every = np.arange(count)
    precision, shift, word = np.uint64(PRECISION), np.uint64(MOST_FREQUENCY_SHIFT), np.uint64(WORD)
    for position in range(starts.shape[0] - 1, -1, -1):
        lanes = every[ends > position]
        x, frequency = state[lanes], frequencies[position, lanes].astype(np.uint64)
        while (full := x >= frequency << shift).any():
            moving = lanes[full]
            words[moving, used[moving]] = (x[full] & np.uint64(0xFFFF)).astype(np.uint16)
            used[moving] += 1
            x[full] >>= word
        quotient = x // frequency
        state[lanes] = (quotient << precision) + (x - quotient * frequency) + starts[position, lanes].astype(np.uint64)
    return [
        _state_bytes(int(state[lane]), bool(used[lane])) + words[lane, : used[lane]][::-1].astype("<u2").tobytes()
        for lane in range(count)
    ]


def free_bits(stream: bytes) -> float:
    """The information that the symbols of a lane may have while it is dry."""
    return FREE_BITS + FREE_PARTS * 8 * len(stream)


def overdrawn(
    streams: Sequence[bytes],
    starts: NDArray[np.uint32],
    frequencies: NDArray[np.uint32],
    lengths: Sequence[int],
) -> NDArray[np.bool_]:
    """Which lanes a decoder might refuse, as they are dry for too long: bool `[lanes]`.

    Args:
        streams: what `encode_lanes` made of the lanes.
        starts: as there.
        frequencies: as there.
        lengths: as there.
    """
    state = np.zeros(len(streams), np.uint64)
    spare = ENCODED_PART * np.array([free_bits(stream) for stream in streams])
    lanes = np.arange(len(streams))
    ends = np.asarray(lengths)
    for position in range(starts.shape[0] - 1, -1, -1):
        here = lanes[ends[lanes] > position]
        frequency = frequencies[position, here].astype(np.uint64)
        quotient, rest = np.divmod(state[here], frequency)
        state[here] = (quotient << np.uint64(PRECISION)) + rest + starts[position, here].astype(np.uint64)
        dry = (state[here] > 0) & (state[here] < TOTAL)
        spare[here] += np.where(dry, np.log2(frequency / TOTAL), 0.0)
        # A state that has left this range does not come back.
        lanes = lanes[state[lanes] < TOTAL]
        if not len(lanes):
            break
    bankrupt: NDArray[np.bool_] = spare < 0
    return bankrupt


def _state_bytes(state: int, before_words: bool) -> bytes:
    """A state, little endian; as short as can be where it is all of a stream."""
    return state.to_bytes(STATE_BYTES if before_words else (state.bit_length() + 7) // 8, "little")


def random_streams(lanes: int, symbols: int) -> list[bytes]:
    """Streams of which so many symbols can be decoded, to measure what that takes."""
    chance = np.random.default_rng(0)
    words = 2 * -(-PRECISION * symbols // WORD)
    return [chance.bytes(STATE_BYTES - 1) + b"\x01" + chance.bytes(words) for _ in range(lanes)]


class LaneDecoder:
    """The other direction, for lanes that are asked for one symbol at a time.

    Args:
        streams: the bytes of each lane.
        trusted: whether lanes may be dry for as long as they like.

    Attributes:
        state: uint64 `[lanes]`.
        words: of all lanes.
        next: where each lane goes on in `words`.
        ends: where it ends there.
        spare: float64 `[lanes]`: the information that its symbols may still have while it is dry.

    Raises:
        DataError: a stream does not begin with a state.
    """

    def __init__(self, streams: Sequence[bytes], *, trusted: bool = False) -> None:
        for stream in streams:
            state = int.from_bytes(stream[:STATE_BYTES], "little")
            words = len(stream) > STATE_BYTES
            impossible = words and (len(stream) % 2 == 1 or state < FIRST)
            if impossible or stream[:STATE_BYTES] != _state_bytes(state, words):
                raise DataError("a stream of the file does not begin as streams do: fetch the file anew")
        self.state = np.array([int.from_bytes(stream[:STATE_BYTES], "little") for stream in streams], np.uint64)
        pieces = [np.frombuffer(stream[STATE_BYTES:], "<u2") for stream in streams]
        sizes = np.array([len(piece) for piece in pieces], np.int64)
        self.words = np.concatenate([*pieces, np.zeros(1, np.uint16)]).astype(np.uint64)
        self.ends = sizes.cumsum()
        self.next = self.ends - sizes
        self.spare = np.array([np.inf if trusted else free_bits(stream) for stream in streams], np.float64)

    @property
    def finished(self) -> bool:
        """Whether all lanes give zeros from now on, all that was in them being read."""
        return not self.state.any() and bool((self.next == self.ends).all())

    def slots(self, lanes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in 0..TOTAL-1 the next symbol of each lane lies."""
        return (self.state[lanes] & np.uint64(TOTAL - 1)).astype(np.int64)

    def advance(self, lanes: NDArray[np.int64], starts: NDArray[np.int64], frequencies: NDArray[np.int64]) -> None:
        """Take the symbols, whose shares hold the slots."""
        x = self.state[lanes]
        if (low := (x < TOTAL) & (x > 0)).any():
            dry = low & (self.next[lanes] == self.ends[lanes])
            self.spare[lanes[dry]] += np.log2(frequencies[dry] / TOTAL)
        slot = x & np.uint64(TOTAL - 1)
        x = frequencies.astype(np.uint64) * (x >> np.uint64(PRECISION)) + slot - starts.astype(np.uint64)
        while (low := (x < FIRST) & (self.next[lanes] < self.ends[lanes])).any():
            reading = lanes[low]
            x[low] = (x[low] << np.uint64(WORD)) | self.words[self.next[reading]]
            self.next[reading] += 1
        self.state[lanes] = x

    def check(self) -> None:
        """Check that no lane is dry for too long.

        Raises:
            DataError: one is.
        """
        if (self.spare < 0).any():
            raise DataError(
                "a stream of the file is far shorter than its pixels: it is damaged; if you trust it, allow more by "
                "--most-megapixels (most_sub_pixels in Python)"
            )

    def finish(self) -> None:
        """Check that all was read, and that the states are what encoding began with.

        Raises:
            DataError: they are not: the file is damaged, or the model is not the one it was encoded with.
        """
        if self.state.any() or (self.next != self.ends).any():
            raise DataError("a stream of the file does not end where it should: the file or the model is damaged")
