"""Memories' contents before synthesis."""

from hw.zero_memories import without_zero_memories

_ZEROS = """  initial begin
    gain[0] = 64'h0000000000000000;
    \\table [1] = 4'h0;
  end
"""
_ROM = """  initial begin
    rom[0] = 27'h0000000;
    rom[1] = 27'h0000010;
    rom[2] = 27'h0000000;
  end
"""
_PROCESS = """  initial begin
    a = 1'h0;
  end
"""


def test_only_blocks_of_zero_words_alone_are_left_out():
    others = f"module m;\n{_ROM}  reg x = 1'h0;\n{_PROCESS}endmodule\n"
    assert without_zero_memories(others) == others
    assert without_zero_memories(_ZEROS + others.replace("  reg", _ZEROS + "  reg") + _ZEROS) == others
