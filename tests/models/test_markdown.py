"""Tables as Markdown."""

from models.markdown import markdown_table


def test_a_line_a_row_below_heads_and_their_rule():
    rows = (cells for cells in (["a", "1"], ["b", ""]))
    assert markdown_table(["name", "count"], rows) == "| name | count |\n| --- | --- |\n| a | 1 |\n| b |  |"
    assert markdown_table(("one",), []) == "| one |\n| --- |"
