"""A trace of a run, read back: names, sums and traffic against what the bench says."""

import json

import pytest

from models.errors import OptionError
from sim.bench.__main__ import main
from tests.chromium import chromium
from tests.sim.bench.trace_file import read_trace
from tests.sim.bench.trace_processor import TraceProcessor
from tests.sim.cores import FOUR_SLOTS

PARTS = {
    "fetch": {"q", "k", "v", "o", "gate", "up", "down"}, "linear": {"q", "k", "v", "o", "gate", "up", "down"},
    "load": {"gain.input", "gain.attn_sub", "gain.post_attention", "gain.ffn_sub"}, "attend": {"attend"},
    "vector": {"norm q k v", "query", "key", "value", "norm o", "residual o", "norm gate up", "norm down",
               "residual down"},
    "head": set()}
OF_NO_LAYER = {
    "fetch": {"head"}, "load": {"residual_in", "rope", "gain.final"}, "linear": set(), "vector": {"norm head"},
    "attend": set(), "head": {"head"}}


def bench(path, small, capsys, *arguments):
    main(["--board", "sim-tiny", "--model", small, "--json", "--trace", str(path), *arguments])
    return json.loads(capsys.readouterr().out), read_trace(path)


def test_all_layers_of_a_token_add_up_to_the_breakdown(board, small, tmp_path, capsys):
    data, trace = bench(tmp_path / "t.perfetto", small, capsys, "--context", "20", "--layers", "6")
    breakdown = {name: cycles for name, cycles in data["breakdown"].items() if cycles}
    assert trace.cycles("at work") == breakdown and sum(breakdown.values()) == data["cycles"]
    at_work = trace.slices["at work"]
    assert at_work[0].start == 0 and all(a.end == b.start for a, b in zip(at_work, at_work[1:], strict=False))
    for engine, busy in data["run"]["busy"].items():
        assert sum(trace.cycles(engine).values()) == busy
        slices = trace.slices[engine]
        assert all(item.end - item.start == item.about["cycles"] * 4 for item in slices)  # ns at 250 MHz
        assert [item.about["descriptor"] for item in slices] == sorted(item.about["descriptor"] for item in slices)
        layers = {(item.about["layer"], item.about["part"]) for item in slices if "layer" in item.about}
        assert layers == {(layer, part) for layer in range(6) for part in PARTS[engine]}
        assert {item.name for item in slices if "layer" not in item.about} == OF_NO_LAYER[engine]
    assert trace.slices["linear"][8].name == "1.k" and trace.process.startswith("small, decode, ")


def test_rows_of_groups_have_their_own_layers_and_the_traffic_is_all(board, small, tmp_path, capsys):
    data, trace = bench(tmp_path / "t.perfetto", small, capsys, "--phase", "prefill", "--context", "8", "--layers", "2")
    assert trace.cycles("at work") == {name: n for name, n in data["run"]["breakdown"].items() if n}
    names = [item.name for item in trace.slices["linear"]]  # two groups of two rows; up serves both
    assert names == [f"{layer}.{part}" for layer in range(2) for part in (
        "q", "k", "v", "q", "k", "v", "o", "o", "gate", "up", "gate", "down", "down")]
    attend = [(item.name, item.about["first_row"]) for item in trace.slices["attend"]]
    assert attend == [(f"{layer}.attend", row) for layer in range(2) for row in range(4)]
    moved = sum(rate * (after[0] - time) for values in trace.counters.values()
                for (time, rate), after in zip(values, values[1:], strict=False))
    assert set(trace.counters) == {f"port {port} {way}" for port in range(FOUR_SLOTS.ports)
                                   for way in ("reads", "writes")}
    assert moved == pytest.approx(data["run"]["ddr_bytes"], rel=1e-6)
    assert max(rate for values in trace.counters.values() for _, rate in values) <= 4.0  # GB/s of a port


def test_a_trace_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.bench.__main__.load_workload", None)
    with pytest.raises(OptionError, match="cannot be written"):
        main(["--board", "sim-tiny", "--model", "demo", "--trace", str(tmp_path / "none" / "t.perfetto")])


def test_perfettos_trace_processor_opens_it(board, small, tmp_path, capsys):
    with chromium() as browser:
        data, _ = bench(tmp_path / "t.perfetto", small, capsys, "--context", "20", "--layers", "1")
        processor = TraceProcessor(browser, (tmp_path / "t.perfetto").read_bytes())
        rows = processor.query("select slice.name as name, sum(extract_arg(arg_set_id, 'debug.cycles')) as cycles from "
                               "slice join track on slice.track_id = track.id where track.name = 'at work' group by 1")
        assert {row.name: row.cycles for row in rows} == {n: c for n, c in data["run"]["breakdown"].items() if c}
        assert not list(processor.query("select name from stats where severity = 'error' and value > 0"))
