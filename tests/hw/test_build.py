"""The build command: two builds alike, lint clean, its description true, bad input in one line."""

import json

import pytest

from hw.build import TOP, main, source_hash
from models.machine.build import BOARDS
from models.machine.registers import REGISTERS
from scripts.check_hdl import lint, same_twice


def test_two_builds_are_identical_and_lint_clean(tmp_path):
    assert same_twice(BOARDS["sim-tiny"], tmp_path)
    assert lint(tmp_path / "first" / f"{TOP}.v") == []


def test_the_kv260_holds_the_shipped_model_and_lints_clean(tmp_path, capsys):
    main(["--board", "kv260", "--model", "demo", "-o", str(tmp_path)])
    description = json.loads((tmp_path / "accel.json").read_text())
    assert capsys.readouterr().out.strip().endswith(description["hash"][:8])
    assert description["parameters"] == BOARDS["kv260"].to_json()
    assert description["registers"] == {r.name: r.offset for r in REGISTERS}
    verilog = (tmp_path / f"{TOP}.v").read_text()
    assert f"32'd{int(description['hash'][:8], 16)}" in verilog  # what the BUILD register reads
    assert lint(tmp_path / f"{TOP}.v") == []


def test_lint_sees_a_fault(tmp_path):
    broken = tmp_path / "broken.v"
    broken.write_text(f"module {TOP}(input [3:0] a, output [3:0] b); assign b = a[4:1]; endmodule")
    assert lint(broken)


@pytest.mark.parametrize("arguments,message", [
    (["--board", "nexys"], "unknown board 'nexys'"), (["--model", "no/model"], "no model folder at no/model"),
    (["--board", "sim-tiny", "--model", "bitnet-2b4t"], "hidden size of 2560 exceeds the 512 of build sim-tiny")])
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "-o", str(tmp_path)])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_source_hash_follows_the_parameters():
    assert source_hash(BOARDS["sim-tiny"]) != source_hash(BOARDS["kv260"])
