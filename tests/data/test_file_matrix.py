"""Every kind of picture file: equal to the writer's integers, noted, or refused; never silently other."""

from pathlib import Path

import numpy as np
import PIL
import pytest

from helpers.file_matrix import made_files, outcome, outcome_of_the_highest_eight, rows_of
from nextpixel.data.decode import decode

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "file-formats.md"


@pytest.fixture(scope="module")
def files():
    return list(made_files())


def test_no_file_is_silently_other(files):
    assert len(files) >= 150
    wrong = [
        (file.ending, file.kind, file.writer, said)
        for file in files
        for result, said in [outcome(file)]
        if result == "other"
    ]
    assert not wrong


def test_deep_files_give_their_highest_bits_when_asked_and_say_so(files):
    deep = [file for file in files if file.levels > 256 and file.samples is not None]
    assert len({file.ending for file in deep}) >= 3
    for file in deep:
        assert outcome(file)[0] == "refused", file.kind
        assert outcome_of_the_highest_eight(file), (file.ending, file.kind, file.writer)


def test_levels_give_back_the_integers_of_files_of_fewer_bits(files):
    few = [file for file in files if file.levels < 256 and outcome(file)[0] == "noted"]
    assert len({file.ending for file in few}) >= 4
    for file in few:
        pixels = decode(file.name, file.data).pixels
        own_integers = pixels.astype(int) * file.levels // 256
        assert np.array_equal(own_integers.transpose(1, 2, 0), file.samples), (file.ending, file.kind)


@pytest.mark.skipif(int(PIL.__version__.partition(".")[0]) < 12, reason="Pillow 11 refuses files that the page has")
def test_the_page_says_what_happens(files):
    text = PAGE.read_text(encoding="utf-8")
    words = {"equal": "read", "noted": "read, noted", "refused": "refused"}
    for (form, kind), (result, _) in rows_of(iter(files)).items():
        assert f"| {form} | {kind} | {words[result]} |" in text, "python tests/helpers/file_matrix.py --page > " + str(
            PAGE.name
        )
