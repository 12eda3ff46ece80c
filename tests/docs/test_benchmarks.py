"""The page beside what people use is what its script makes of the records."""


def test_the_page_is_what_the_script_makes(script, check_page):
    check_page(script.PAGE)


def test_the_least_size_is_bold_whoever_has_it(script):
    sizes = dict.fromkeys(script.FORMATS, 2.0) | {"nextpixel": 1.5}
    assert script.row("a", sizes)[1] == "**1.500**"
    cells = script.row("a", sizes | {"QOI": 1.25})
    assert cells[1] == "1.500" and cells[-1] == "**1.250**"


def test_kinds_in_which_another_file_is_smaller_are_named(script):
    sizes = dict.fromkeys(script.FORMATS, 2.0)
    kinds = {"wins, 3, effort 1": sizes | {"nextpixel": 1.5}, "loses, 2, effort 5": sizes | {"nextpixel": 2.5}}
    first = script.losses(kinds)[0]
    assert "loses, 2 (PNG 2.000, nextpixel 2.500)" in first and "wins" not in first


def test_every_kind_of_picture_is_measured_in_every_format(script):
    for name, sizes in script.kinds().items():
        assert set(sizes) == {"nextpixel", *script.FORMATS} and min(sizes.values()) > 0, name
