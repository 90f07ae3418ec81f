"""The scope of waves; the files themselves: `test_verilated_core.py`, `test_runner.py`."""

import pytest

from models.errors import OptionError
from sim.waves import check_scope


def test_a_scope_is_an_instance():
    text = "module top(clk);\nmodule top__linear(clk);\nmodule \\top__linear__tables$1 (clk);\n"
    check_scope("linear.tables$1", text)
    check_scope("", text)
    with pytest.raises(OptionError, match="no instance 'tables'; at its top it has linear$"):
        check_scope("tables", text)
