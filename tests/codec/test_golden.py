"""Files that must be decoded forever: if one of these fails, a released format has been broken."""

import json
from pathlib import Path

import pytest
import torch

import nextpixel as nx
from nextpixel.codec.container import PICTURES, read

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.npx")), ids=lambda path: path.stem)
def test_a_golden_file_is_decoded_to_its_pixels_and_encoded_to_its_bytes(path):
    model = nx.load(path.with_suffix(""))
    expected = [torch.tensor(image, dtype=torch.uint8) for image in json.loads(path.with_suffix(".json").read_text())]
    data = path.read_bytes()
    found = nx.decompress(model, data)
    assert len(found) == len(expected) >= 3
    assert all(torch.equal(*each) for each in zip(found, expected, strict=True))
    contents = read(data)
    labels = None if contents.labels is None else torch.tensor(contents.labels)
    lanes = max(len(block) for block in contents.blocks)
    effort = 2 if contents.version == PICTURES else None
    again = read(nx.compress(model, expected, labels, names=contents.names, lanes=lanes, effort=effort))
    # Ranges and adaptations are found in floating point, which may differ; where they do not, nor do the bytes.
    if (again.ranges, again.adaptation) == (contents.ranges, contents.adaptation):
        assert again.blocks == contents.blocks
