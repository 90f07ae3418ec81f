"""The runner: what a bench is given, what a failure says, and when nothing is built again."""

import numpy as np
import pytest

from sim.runner import BenchFailure, build_bench, emit_verilog, run_bench, waves_file
from tests.sim import echo_bench as echo
from tests.sim.components import StreamFifo
from tests.sim.waves_file import read_waves

# More than the system takes in one environment variable.
GIVEN = {"table": np.array([[1, -2], [3, 4]]), "gain": np.float32(0.5), "name": "µ", "long": "x" * (1 << 18)}


def test_parameters_and_seed_arrive(capsys, monkeypatch):
    assert run_bench(StreamFifo(8), "tests.sim.echo_bench", GIVEN | {"wanted": 77}, seed=77) == 2
    assert "StreamFifo: tests.sim.echo_bench, seed 77" in capsys.readouterr().out
    monkeypatch.setenv("TRITLOOM_SEED", "123")
    assert run_bench(StreamFifo(8), echo, GIVEN | {"wanted": 123}, testcase="the_seed_arrives") == 1


def test_a_failure_names_test_seed_and_reason():
    with pytest.raises(BenchFailure) as caught:
        run_bench(StreamFifo(8), echo, GIVEN | {"wanted": 5}, seed=4)
    text = str(caught.value)
    assert caught.value.asserted and "tests.sim.echo_bench, seed 4:" in text
    assert "the_seed_arrives: assert 4 == 5" in text  # pytest's words for the bench's assertion
    assert "parameters_arrive: " not in text


def test_waves_go_to_files_of_their_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAVES", "1")
    values = [7, 0, 255, 7]
    given = {"fault": 0, "layout": "byte", "values": values, "stall_in": 0.0, "stall_out": 0.0, "patience": 50}
    for _ in range(2):
        run_bench(StreamFifo(8), "tests.sim.stream_copy_bench", given)
    stem, folder = "StreamFifo-test_waves_go_to_files_of_their_own", tmp_path / "build" / "waves"
    assert {path.name for path in folder.iterdir()} == {f"{stem}.fst", f"{stem}-1.fst"}
    assert f"waves in {folder / stem}.fst" in capsys.readouterr().out
    waves = read_waves(folder / f"{stem}.fst")
    assert set(values) <= {int(value, 2) for _, value in waves.changes["top.inner.i__payload"]}
    assert "top.inner.fifo.w_en" in waves.changes  # also what Python does not see
    rises = [time for time, value in waves.changes["top.inner.clk"] if value == "1"]
    assert len(rises) > 4 and len(set(np.diff(rises))) == 1


@pytest.mark.parametrize("value", ["", "0", None])
def test_no_waves_unless_asked_for(value, monkeypatch):
    monkeypatch.delenv("WAVES", raising=False)
    if value is not None:
        monkeypatch.setenv("WAVES", value)
    assert waves_file(StreamFifo(8)) is None


def test_a_bench_without_tests_fails():
    with pytest.raises(BenchFailure, match="no cocotb test named helper"):
        run_bench(StreamFifo(8), echo, testcase="helper")
    with pytest.raises(BenchFailure, match="without results") as caught:
        run_bench(StreamFifo(8), "tests.sim.missing_bench")
    assert not caught.value.asserted


def test_parameters_are_json_or_numpy():
    with pytest.raises(TypeError, match="not set"):
        run_bench(StreamFifo(8), echo, {"values": {1, 2}})


def test_the_same_design_is_built_once():
    text = emit_verilog(StreamFifo(8))
    assert text == emit_verilog(StreamFifo(8))
    program = build_bench(text)
    made = program.stat().st_mtime_ns
    assert build_bench(text) == program and program.stat().st_mtime_ns == made
    assert "i__payload" in text and "src =" not in text
