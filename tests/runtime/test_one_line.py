from nextpixel.runtime.one_line import one_line


def test_an_error_is_one_line_of_its_type_and_what_it_says():
    assert one_line(ValueError("two\n  lines\t")) == "ValueError: two lines"
    assert one_line(ValueError("x" * 999), 20) == "ValueError: xxxxxxxx"
    assert one_line(KeyError()) == "KeyError:"
