"""The check of boards' Verilog takes every board that has a build, and fails where one does not pass."""

import pytest

from hw.boards.registry import BUILDS
from hw.emit import Emitted
from scripts.verify import check_hdl


@pytest.mark.parametrize("bad", [None, *BUILDS])
def test_every_board_with_a_build_is_checked(bad, tmp_path, monkeypatch, capsys):
    def written(build, folder):
        (folder / "first").mkdir(parents=True)
        return build.name != bad

    monkeypatch.setattr(check_hdl, "same_twice", written)
    monkeypatch.setattr(check_hdl, "lint", lambda verilog: [])
    with pytest.raises(SystemExit) as ended:
        check_hdl.main(["--no-synthesis", "-o", str(tmp_path / "out")])
    assert ended.value.code == (0 if bad is None else 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: two builds {'DIFFERENT' if name == bad else 'identical'}, lint clean" for name in BUILDS]
    assert {"sim-tiny", "kv260", "arty_z7", "rfsoc4x2"} <= set(BUILDS)


@pytest.mark.parametrize("board", ["sim-tiny", "rfsoc4x2"])  # files alone, and a folder of some
@pytest.mark.parametrize("texts", [("module a; endmodule",) * 2, ("module a; endmodule", "module b; endmodule")])
def test_builds_are_compared_file_by_file(texts, board, tmp_path, monkeypatch):
    left = list(texts)
    monkeypatch.setattr(check_hdl, "emit_verilog", lambda build: Emitted(left.pop(0), "0" * 64, ""))
    assert check_hdl.same_twice(BUILDS[board], tmp_path) is (len(set(texts)) == 1)
