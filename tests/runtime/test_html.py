from nextpixel.runtime.html import facts_table, picture, rows_table, text


def test_text_from_files_cannot_be_markup():
    assert text("<script>\x1b[31m&\u202e") == r"&lt;script&gt;\x1b[31m&amp;\u202e"


def test_tables_hold_their_values_as_text():
    html = facts_table("<b>", [("name<", "a&b")])
    assert "&lt;b&gt;" in html and "name&lt;" in html and "a&amp;b" in html
    html = rows_table("title", ["<i>"], [["1<2"]], foot="and <more>")
    assert "&lt;i&gt;" in html and "1&lt;2" in html and "and &lt;more&gt;" in html


def test_a_picture_is_in_the_page_itself():
    assert 'src="data:image/png;base64,QUJD"' in picture(b"ABC", width=10, description='"')
    assert 'alt="&quot;"' in picture(b"ABC", width=10, description='"')
