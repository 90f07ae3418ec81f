"""Modules' names: dots become what needs no escape, and nothing else does."""

from __future__ import annotations

import pytest

from hw.module_names import plain_names, without_escapes
from models.errors import BuildError

_DESIGN = """module \\top.a$1
  wire \\x.y
  cell $dff $1
  end
end
module \\top
  cell \\top.a$1 \\a.b
  end
  cell \\DSP.X \\top.a$1
  end
end
"""


def test_modules_and_their_instances_alone():
    text, modules = plain_names(_DESIGN)
    assert modules == {"top", "top__a$1"}
    assert text == _DESIGN.replace("module \\top.a", "module \\top__a").replace("cell \\top.a", "cell \\top__a")


def test_a_separator_in_a_name_is_refused():
    with pytest.raises(BuildError, match="must not have '__' in it: top.b__c$"):
        plain_names("module \\top.b__c\n")


def test_names_without_need_lose_their_escape():
    text = "module \\top__a$1 (clk);\n  \\top__a$1  \\b$2 (\n  wire \\x$1 ;\n"
    assert without_escapes(text, {"top__a$1"}) == text.replace("\\top__a$1 ", "top__a$1 ")
