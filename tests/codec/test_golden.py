"""Files that must be decoded forever: if one of these fails, a released format has been broken."""

import pytest
import torch

import nextpixel as nx
from helpers.golden import GOLDEN, model_of, pixels_of
from nextpixel.codec import local_codec
from nextpixel.codec.container import FIRST_PICTURES, FIRST_TILES, OF_PICTURES, read


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.npx")), ids=lambda path: path.stem)
def test_a_golden_file_is_decoded_to_its_pixels_and_encoded_to_its_bytes(path, monkeypatch):
    name = model_of(path.stem)
    model = nx.load(GOLDEN / name)
    expected = [torch.tensor(image, dtype=torch.uint8) for image in pixels_of(path.stem)]
    data = path.read_bytes()
    found = nx.decompress(model, data)
    assert len(found) == len(expected) >= 3
    assert all(torch.equal(*each) for each in zip(found, expected, strict=True))
    contents = read(data)
    if contents.version in (FIRST_TILES, FIRST_PICTURES):
        # That the pixels come back shows that every share is what it was; such files are not written any more.
        return
    # Such small pictures would be stored.
    monkeypatch.setattr(local_codec, "shorter", lambda *_, **__: None)
    monkeypatch.setattr(local_codec, "_suits", lambda *_: True)
    # Of pictures as small as these it is often chance what is told.
    lattices = iter([contents.lattices.get(number) for number in range(len(expected))])
    monkeypatch.setattr(local_codec, "_lattice_of", lambda *_: next(lattices))
    # Golden files of before ranges were raised keep theirs.
    monkeypatch.setattr(local_codec, "raised", lambda _, ranges: ranges)
    labels = None if contents.labels is None else torch.tensor(contents.labels)
    lanes = max(len(block) for block in contents.blocks)
    effort = 2 if contents.version in OF_PICTURES else None
    again = read(nx.compress(model, expected, labels, names=contents.names, lanes=lanes, effort=effort))
    # Ranges and adaptations are found in floating point, which may differ; where they do not, nor do the bytes.
    if (again.ranges, again.adaptation) == (contents.ranges, contents.adaptation):
        assert again.blocks == contents.blocks
