"""The core's own clock: where it goes in the Verilog. That no cycle changes: tests/sim/soc/test_verilated_board.py."""

import pytest

from models.errors import BuildError
from sim.soc.core_clock import with_core_clock

TOP = """module top(rx, clk, rst,
 tx);
  input clk;
  top__core core (
    .core_clk(clk),
    .irq(irq)
  );
  top__link link (
    .clk(clk),
    .rst(rst)
  );
endmodule
module top__core(clk, irq);
endmodule
"""


def test_only_the_core_has_it():
    expected = TOP.replace("core (\n    .core_clk(clk),", "core (\n    .core_clk(clk_core),")
    expected = expected.replace("module top(rx, clk, rst,\n tx);\n",
                                "module top(clk_core, rx, clk, rst,\n tx);\n  input clk_core;\n  wire clk_core;\n")
    assert with_core_clock(TOP) == expected


@pytest.mark.parametrize("broken", ["", TOP.replace("top__core core", "top__core heart"),
                                    TOP.replace(".core_clk(clk)", ".c(clk)")])
def test_another_design_is_refused(broken):
    with pytest.raises(BuildError, match="not that of a system with a core"):
        with_core_clock(broken)
