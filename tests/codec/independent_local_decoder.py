"""A decoder of .npx files of versions 2, 4 and 5, written from docs/reference/format.md alone.

Nothing of nextpixel is imported. Slow and plain, one line of the text after the other, so that a difference between the
text and the package shows.
"""

import hashlib
import io
import json
import math
import struct
import zlib

import numpy as np
from PIL import Image

TOTAL = 2**22
NEAREST = [(0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-2, 0)]
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Reader:
    """Bytes from the first to the last."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def sized(self):
        return self.take(self.varint())


class Stream:
    """One stream of the coder."""

    def __init__(self, data):
        self.state = int.from_bytes(data[:6], "little")
        self.words = [word for (word,) in struct.iter_unpack("<H", data[6:])]

    def slot(self):
        return self.state % TOTAL

    def advance(self, start, frequency):
        self.state = frequency * (self.state // TOTAL) + self.slot() - start
        while self.state < 2**32 and self.words:
            self.state = 2**16 * self.state + self.words.pop(0)

    def is_done(self):
        return self.state == 0 and not self.words


def read_model(folder):
    """The description of a model folder, and its weights as 32-bit floats by name."""
    description = json.loads((folder / "config.json").read_text())["model"]
    data = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    weights = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            dtype = {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]
            weights[name] = np.frombuffer(data[first:last], dtype).reshape(entry["shape"]).astype(np.float32)
    return description, weights


def fingerprint(description, weights):
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(f"{name} torch.float32 {list(weights[name].shape)}".encode() + weights[name].tobytes())
    return digest.digest()[:8]


def rounded(values):
    """To the nearest integer, ties to even."""
    return np.rint(values).astype(np.int64)


def adapted(weights, data):
    """The weights with the adaptation."""
    if not data:
        return weights
    weights, reader, heads = dict(weights), Reader(data), []
    while place := reader.varint():
        heads.append((sorted(weights)[place - 1], *reader.take(3)))
    stream = Stream(data[reader.at :])
    for name, exponent, zeros, decay in heads:
        zero = zeros * 2**14
        left = (TOTAL - zero) // 2
        sizes = [max(1, left * (256 - decay) // 256)]
        while len(sizes) < 127:
            sizes.append(max(1, sizes[-1] * decay // 256))
        sizes[0] += left - sum(sizes)
        frequencies = [zero, *(size for size in sizes for _ in range(2))]
        starts = np.cumsum([0, *frequencies])
        values = []
        for _ in range(weights[name].size):
            symbol = int(np.searchsorted(starts, stream.slot(), side="right")) - 1
            stream.advance(int(starts[symbol]), frequencies[symbol])
            values.append((symbol + 1) // 2 * (1 if symbol % 2 else -1))
        change = np.array(values, np.float32) * np.float32(2.0**-exponent)
        weights[name] = weights[name] + change.reshape(weights[name].shape)
    assert stream.is_done()
    return weights


class Sum:
    """A sum in integers: weights `[outputs, inputs]` and the bounds of the inputs."""

    def __init__(self, weights, bias, bounds, *, wide=False):
        weights, bias, bounds = weights.astype(np.float64), bias.astype(np.float64), np.array(bounds)
        self.bits = np.full(len(bias), -1)
        for bits in range(14, -1, -1):
            bound = np.abs(rounded(weights * 2.0**bits)) @ bounds + np.abs(rounded(bias * 2.0 ** (bits + 8)))
            self.bits[(self.bits < 0) & (bound < (2**50 if wide else 2**23))] = bits
        if not wide and self.bits.min() < 4:
            self.__init__(weights, bias, bounds, wide=True)
            return
        assert self.bits.min() >= 0
        self.weights = rounded(weights * 2.0 ** self.bits[:, None])
        self.bias = rounded(bias * 2.0 ** (self.bits + 8))

    def __call__(self, inputs, bound):
        """From integers `[N, inputs]` to activations `[N, outputs]`."""
        sums = inputs @ self.weights.T + self.bias
        return np.clip(rounded(sums * 2.0**-self.bits), -bound, bound)


class Twin:
    """The integer twin."""

    def __init__(self, description, weights, ranges, version):
        options = description["options"]
        assert description["family"] == "local-pixelcnn" and options["head"] == "logistic-mixture"
        self.colours, self.levels = description["image_shape"][0], description["levels"]
        self.lag, self.components = options["lag"], options["components"]
        reach, distance = options["kernel_size"] // 2, options["distance"]
        self.window = [(0, -left) for left in range(1, min(reach, distance) + 1)]
        for up in range(1, reach + 1):
            columns = range(-reach, min(reach, self.lag * up) + 1)
            self.window += [(-up, column) for column in columns if up + abs(column) <= distance]
        self.nearest = [self.window.index(place) for place in NEAREST]
        self.constant = self.levels // 2
        bounds = [2 ** (8 + bits) for bits in ranges]
        layer = lambda name: (weights[f"{name}.weight"], weights[f"{name}.bias"])  # noqa: E731
        inputs = [2**12] * (len(self.window) * self.colours) + [3 * 2**8] * (2 * self.colours)
        self.first_bound, self.bounds = bounds[0], list(zip(bounds[1::2], bounds[2::2], strict=True))
        self.first = Sum(*layer("first.linear"), inputs, wide=version in (4, 5))
        features, before = len(weights["first.linear.bias"]), bounds[0]
        self.blocks = []
        for block, (inner, outer) in enumerate(self.bounds):
            self.blocks.append(
                (
                    Sum(*layer(f"blocks.{block}.inner.linear"), [before] * features),
                    Sum(*layer(f"blocks.{block}.outer.linear"), [inner] * features),
                )
            )
            before = outer
        assert len(self.blocks) == options["layers"]
        self.output = Sum(*layer("output.linear"), [before] * features, wide=True)
        self._tables()

    def _tables(self):
        levels = self.levels
        floor = max(levels / 64, 1 / 2)
        spread = np.arange(18 * (levels - 1) + 1)
        self.step = rounded(8 * np.log2(1 + 2 * spread / (36 * floor)))
        deviation = floor * 2.0 ** (self.step / 8)
        self.shift = 0
        while (levels - 1) * 6 * round(2 ** (8 + self.shift + 1) / (6 * floor)) < 2**24:
            self.shift += 1
        self.multiplier = rounded(2 ** (8 + self.shift) / (6 * deviation))
        self.deviation = rounded(2**6 * deviation)
        self.log_deviation = rounded(32 * np.log(deviation))
        self.exp = rounded(2**20 * np.exp(-np.arange(2**12 + 1) / 2**8))
        lower = rounded(TOTAL / (1 + np.exp(-np.arange(-12287, 0) / 2**10)))
        self.logistic = np.array([0, *lower, 2**21, *(TOTAL - lower[::-1]), TOTAL])

    def mixtures(self, windows):
        """What stands in the outputs for pixels with windows `[N, n, C]`."""
        near = windows[:, self.nearest]
        sums = near.sum(axis=1)
        spread = np.abs(6 * near - sums[:, None]).sum(axis=1)
        scaled = (6 * windows - sums[:, None]) * self.multiplier[spread][:, None]
        values = np.clip(rounded(scaled * 2.0**-self.shift), -(2**12), 2**12)
        middle = rounded(2**10 * (sums - 6 * self.constant) / (6 * self.levels))
        step = rounded(2**8 * (self.step[spread] - 16) / 12)
        x = np.concatenate([values.reshape(len(values), -1), middle, step], axis=1)
        x = np.maximum(0, self.first(x, self.first_bound))
        for (inner, outer), (inner_bound, bound) in zip(self.blocks, self.bounds, strict=True):
            n = inner(x, inner_bound)
            x = np.clip(x + outer(np.maximum(n, 0), bound), -bound, bound)
        rows = self.output(np.maximum(x, 0), 2**15).reshape(len(x), -1, self.components)
        return [
            [self._mixture(rows[pixel], sums[pixel], spread[pixel], colour) for colour in range(self.colours)]
            for pixel in range(len(x))
        ]

    def _mixture(self, rows, sums, spread, colour):
        """Weights, means, inverse scales, and the (coefficients, S) of the earlier colours."""
        colours, levels = self.colours, self.levels
        logits, mean, scale = rows[colour], rows[colours + colour], rows[2 * colours + colour]
        shares = self.exp[np.minimum(logits.max() - logits, 2**12)]
        weights = shares * (TOTAL - levels) // shares.sum()
        weights[np.argmax(logits)] += TOTAL - levels - weights.sum()
        deviation, step = self.deviation[spread[colour]], self.log_deviation[spread[colour]]
        means = (64 * sums[colour] + 3) // 6 + (mean * deviation + 128) // 256
        tau = np.clip((scale + 4) // 8 + step, -89, 178)
        first = 3 * colours + colour * (colour - 1) // 2
        earlier = [(rows[first + before], sums[before]) for before in range(colour)]
        return weights, means, rounded(2**16 * np.exp(-tau / 32)), earlier

    def moved(self, mixture, earlier_values):
        """Weights, means and inverse scales, with what the earlier colours add to the means."""
        weights, means, inverses, earlier = mixture
        for (coefficients, total), value in zip(earlier, earlier_values, strict=True):
            means = means + (coefficients * (6 * value - total) + 12) // 24
        return weights, means, inverses

    def start(self, moved, level):
        """F(level)."""
        weights, means, inverses = moved
        if level in (0, self.levels):
            return TOTAL if level else 0
        places = np.clip((64 * level - 32 - means) * inverses // 2**12, -12288, 12288)
        return level + int((weights * self.logistic[places + 12288]).sum() // TOTAL)

    def weighted(self, mixtures, earlier_values, lattice, exponent):
        """Where the shares of green, or of blue, start on a lattice."""
        colour = len(earlier_values)
        moved = self.moved(mixtures[colour], earlier_values)
        starts = [self.start(moved, level) for level in range(257)]
        shares = [starts[level + 1] - starts[level] for level in range(256)]
        red = earlier_values[0]
        if colour == 2:
            parts = [2**12 * int(lattice[red, earlier_values[1], blue]) for blue in range(256)]
        else:
            parts = [None] * 256
            for green in range(256):
                if shares[green] < 2**12:
                    continue
                blues = self.moved(mixtures[2], [red, green])
                mean = (int((blues[0] * blues[1]).sum()) // 2**22 + 32) // 64
                near = range(max(mean - 16, 0), min(mean + 16, 255) + 1)
                near = [blue for blue in near if lattice[red, green, blue]]
                parts[green] = sum(self.start(blues, blue + 1) - self.start(blues, blue) for blue in near) // 2**10
            likely = [green for green in range(256) if parts[green] is not None]
            mean = sum(shares[green] * parts[green] for green in likely) // sum(shares[green] for green in likely)
            parts = [mean if part is None else part for part in parts]
        sums = [0]
        for share, part in zip(shares, parts, strict=True):
            sums.append(sums[-1] + share * (2**12 + part * 2**exponent))
        return [v + (sums[v] // 2**12) * (TOTAL - 256) // (sums[256] // 2**12) for v in range(257)]

    def decode(self, mixtures, earlier_values, stream, on):
        """The value of a sub-pixel."""
        if on is not None and earlier_values:
            table = self.weighted(mixtures, earlier_values, *on)
            start = table.__getitem__
        else:
            moved = self.moved(mixtures[len(earlier_values)], earlier_values)
            start = lambda level: self.start(moved, level)  # noqa: E731

        low, high = 0, self.levels
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if start(middle) <= stream.slot() else (low, middle)
        stream.advance(start(low), start(low + 1) - start(low))
        return low


def lattice_of(number):
    """Whether a colour is of a lattice, bool `[red, green, blue]`."""
    first, second = np.mgrid[:256, :256]
    lattice = np.zeros((256, 256, 256), bool)
    for y in range(256):
        if number == 1:
            b, r = first - 128, second - 128
            red, blue = y + (91881 * r + 2**15) // 2**16, y + (116130 * b + 2**15) // 2**16
            green = y + (-22554 * b - 46802 * r + 2**15) // 2**16
        elif number == 2:
            light, b, r = 13584 * y, 22179 * (first - 156), 18215 * (second - 137)
            red, blue = (light + r) // 10000, (light + b) // 10000
            green = (587 * light - 10000 * (299 * (r // 10000) + 114 * (b // 10000))) // 5870000
        else:
            assert number == 3
            light = 19077 * y // 2**8
            red, blue = (
                (light + 26149 * second // 2**8 - 14234) // 2**6,
                (light + 33050 * first // 2**8 - 17685) // 2**6,
            )
            green = (light - 6419 * first // 2**8 - 13320 * second // 2**8 + 8708) // 2**6
        lattice[tuple(np.clip(values, 0, 255) for values in (red, green, blue))] = True
    return lattice


def seen(sheet, lag, constant, row, column):
    """The colours at a place within or beyond the edges of a sheet `[H, W, C]`."""
    width = sheet.shape[1]
    if row >= 0:
        if column >= 0:
            return sheet[row, min(column, width - 1)]
        return sheet[row - 1, 0] if row > 0 else constant
    column = min(column - lag * -row - 1, width - 1)
    return sheet[0, column] if column >= 0 else constant


def decode_sheet(twin, height, width, coded, blocks, stripe_pixels, on=None):
    """A sheet `[H, W, C]`, which may lie on a lattice; its blocks are taken from an iterator."""
    sheet = np.zeros((height, width, twin.colours), np.int64)
    constant = np.full(twin.colours, twin.constant)
    rows = max(1, stripe_pixels // width)
    for top in range(0, height, rows):
        lanes = [Stream(data) for data in next(blocks)]
        count = min(rows, height - top)
        assert 1 <= len(lanes) <= min(count, -(-width // (twin.lag + 1)))
        for front in range(width + (twin.lag + 1) * (count - 1)):
            places = [(top + i, front - (twin.lag + 1) * i) for i in range(count)]
            places = [(i, j) for i, j in places if 0 <= j < width]
            if not places:
                continue
            windows = [[seen(sheet, twin.lag, constant, i + r, j + c) for r, c in twin.window] for i, j in places]
            mixtures = twin.mixtures(np.array(windows))
            for colour in range(coded):
                for p, (i, j) in enumerate(places):
                    stream = lanes[p % len(lanes)]
                    value = twin.decode(mixtures[p], sheet[i, j, :colour].tolist(), stream, on)
                    # A sheet of one channel has it in all colours.
                    sheet[i, j, colour if coded > 1 else slice(None)] = value
        assert all(stream.is_done() for stream in lanes)
    return sheet


def restored(kind, data, shape):
    """A stored image `[C, H, W]`."""
    channels, height, width = shape
    if kind == 0:
        return np.frombuffer(zlib.decompress(data, -15), np.uint8).reshape(shape)
    with Image.open(io.BytesIO(data), formats=["PNG" if kind == 1 else "WEBP"]) as image:
        assert image.size == (width, height)
        return np.asarray(image.convert(MODES[channels])).reshape(height, width, channels).transpose(2, 0, 1)


def decode(folder, data, stripe_pixels=2**22):
    """The images of a file, uint8 `[C, H, W]` each, and their names."""
    description, weights = read_model(folder)
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    reader = Reader(data[:-4])
    assert reader.take(8) == bytes.fromhex("894E50580D0A1A0A")
    version = reader.take(1)[0]
    assert version in (2, 4, 5)
    flags = reader.take(1)[0]
    assert flags < 16 and reader.take(8) == fingerprint(description, weights)
    assert reader.take(1)[0] + 1 == description["levels"]
    count = reader.varint()
    ranges = [byte >> shift & 15 for byte in reader.take(-(-count // 2)) for shift in (0, 4)][:count]
    (checksum,) = struct.unpack("<I", reader.take(4))
    weights = adapted(weights, reader.sized())
    shapes = []
    for _ in range(reader.varint()):
        images, *shape = (reader.varint() for _ in range(4))
        shapes += [tuple(shape)] * images
    names = None
    if flags & 2:
        names = zlib.decompress(reader.sized(), -15).decode().split("\0")
    stored = {}
    for _ in range(reader.varint()):
        image, kind = reader.varint(), reader.varint()
        stored[image] = kind, reader.sized()
    lattices = {}
    for _ in range(reader.varint() if version == 5 else 0):
        image, lattice, exponent = (reader.varint() for _ in range(3))
        lattices[image] = lattice_of(lattice), exponent
    lengths = [[reader.varint() for _ in range(reader.varint())] for _ in range(reader.varint())]
    blocks = iter([[reader.take(length) for length in lanes] for lanes in lengths])
    if flags & 8:
        for _ in range(2 * reader.varint()):
            reader.sized()
    assert reader.at == len(reader.data)
    twin = Twin(description, weights, ranges, version)
    pictures = []
    for number, (channels, height, width) in enumerate(shapes):
        if number in stored:
            pictures.append(restored(*stored[number], (channels, height, width)))
            continue
        parts, left = [], channels
        if channels >= twin.colours:
            parts.append(decode_sheet(twin, height, width, twin.colours, blocks, stripe_pixels, lattices.get(number)))
            left -= twin.colours
        parts += [decode_sheet(twin, height, width, 1, blocks, stripe_pixels)[:, :, :1] for _ in range(left)]
        pictures.append(np.concatenate(parts, axis=2).transpose(2, 0, 1).astype(np.uint8))
    assert next(blocks, None) is None
    assert zlib.crc32(b"".join(picture.tobytes() for picture in pictures)) == checksum
    assert math.prod(picture.max() < twin.levels for picture in pictures)
    return pictures, names
