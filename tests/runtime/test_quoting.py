import pytest

from nextpixel.runtime.quoting import harmless_cell, printable, printable_lines, short_name

OBEYED = [chr(code) for code in (*range(32), *range(127, 160), 0x200E, 0x202A, 0x202E, 0x2066, 0x2069, 0x2028, 0xFEFF)]


@pytest.mark.parametrize("character", OBEYED)
def test_what_a_terminal_obeys_is_quoted(character):
    quoted = printable(f"a{character}b")
    assert quoted.isprintable() and quoted.isascii() and quoted[0] == "a" and quoted[-1] == "b" and len(quoted) > 3


def test_what_is_read_stays():
    text = "Größe 東京 🙂 'x' \\ |"
    assert printable(text) == text and printable_lines(f"{text}\n{text}") == f"{text}\n{text}"
    assert printable("\udcff") == r"\udcff"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "  =", " \t"])
def test_no_cell_starts_a_formula(start):
    assert harmless_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["a=b", "", " a", "1", "'=", "ü-"])
def test_other_cells_stay(text):
    assert harmless_cell(text) == text


def test_a_short_name_has_so_many_bytes_at_most_and_whole_characters():
    assert short_name("a/b") == "a/b"
    assert short_name("é" * 200, 181) == "é" * 90
    assert len(short_name("\udce9" * 300).encode(errors="surrogateescape")) <= 180
