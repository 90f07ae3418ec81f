"""The comparison's arithmetic and table, and the whole command with a stand-in for the peer's Python."""

import json
import sys
import textwrap

import pytest

from models.checkpoint import save_model
from models.command import run_command
from models.synth import synthetic_model
from scripts.peers import compare_peers
from scripts.peers.compare_peers import OURS, PEERS, compared, table
from tests.scripts.peers.test_peer_model import SHAPE

LOW, HIGH = PEERS
ROUNDS = [
    {OURS: {"auto": {"prefill": 300.0, "decode": 60.0}},
     LOW: {"a": {"prefill": 100.0, "decode": 20.0}, "b": {"prefill": 50.0, "decode": 30.0}}},
    {OURS: {"auto": {"prefill": 200.0, "decode": 90.0}},
     LOW: {"a": {"prefill": 160.0, "decode": 90.0}, "b": {"prefill": 150.0, "decode": 30.0}}},
    {OURS: {"auto": {"prefill": 240.0, "decode": 45.0}},
     LOW: {"a": {"prefill": 120.0, "decode": 10.0}, "b": {"prefill": 180.0, "decode": 36.0}}},
]


def test_the_peer_s_best_setting_counts_for_each_phase_alone():
    result = compared(ROUNDS)
    assert result[OURS]["prefill"] == {"setting": "auto", "tokens_per_s": [300, 200, 240], "median": 240}
    assert result[LOW]["prefill"] == {  # medians 120 of a, 150 of b
        "setting": "b", "tokens_per_s": [50, 150, 180], "median": 150,
        "ratios": [6, pytest.approx(4 / 3), pytest.approx(4 / 3)], "median_ratio": pytest.approx(4 / 3)}
    assert result[LOW]["decode"] == {
        "setting": "b", "tokens_per_s": [30, 30, 36], "median": 30, "ratios": [2, 3, 1.25], "median_ratio": 2}


def test_the_table_has_a_row_a_round_and_the_medians():
    lines = table(compared(ROUNDS), [0.5, 1.25, 3.0]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["round", "load", "prefill: emulator", "prefill: llama.cpp", "decode: emulator",
                        "decode: llama.cpp", "prefill: to llama.cpp", "decode: to llama.cpp"]
    assert cells[2] == ["1", "0.5", "300.0", "50.0", "60.0", "30.0", "6.00", "2.00"]
    assert cells[5] == ["median", "", "240.0", "150.0", "60.0", "30.0", "1.33", "2.00"]
    assert {len(row) for row in cells} == {8}


@pytest.fixture
def model(tmp_path):
    save_model(synthetic_model(SHAPE), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def stand_in(tmp_path):
    """An executable in place of a Python: it checks the request and answers as scripts/peers/peer_llama.py does."""
    path = tmp_path / "peer"
    path.write_text(f"#!{sys.executable}\n" + textwrap.dedent("""
        import json, pathlib, sys
        assert sys.argv[1].endswith("peer_llama.py")
        if sys.argv[2:] == ["describe"]:
            print(json.dumps({"version": "0", "system_info": "CPU : NONE = 1 | "}))
            raise SystemExit
        request = json.load(sys.stdin)
        assert pathlib.Path(request["model"]).read_bytes()[:4] == b"GGUF"
        assert len(request["prompt"]) == 6 and len(request["steps"]) == 4 and request["threads"] == 1
        seconds = 4.0 if request["high_level"] else 2.0
        print(json.dumps({"plain": {"prefill_s": [9.0, seconds], "decode_s": [8.0, 9.0]},
                          "flash": {"prefill_s": [9.0, 9.0], "decode_s": [seconds, 9.0]}}))
    """))
    path.chmod(0o755)
    return path


def test_the_command_compares_the_same_ids_in_turns(model, stand_in, capsys):
    arguments = ["--model", str(model), "--threads", "1", "--rounds", "2", "--repeats", "2", "--prompt-tokens", "6",
                 "-n", "4", "--peer-python", str(stand_in)]
    run_command(compare_peers.main, [*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [list(one) for one in found["rounds"]] == [[OURS, LOW, HIGH]] * 2 and len(found["loads"]) == 2
    runners = found["runners"]
    assert (runners[LOW]["prefill"]["setting"], runners[LOW]["decode"]["setting"]) == ("plain", "flash")
    assert runners[LOW]["prefill"]["tokens_per_s"] == [3, 3] and runners[HIGH]["decode"]["tokens_per_s"] == [1, 1]
    assert runners[LOW]["prefill"]["ratios"] == [speed / 3 for speed in runners[OURS]["prefill"]["tokens_per_s"]]
    assert found["peer"]["version"] == "0" and found["peer"]["bytes"] > 0
    run_command(compare_peers.main, [*arguments, "--peers", LOW])
    out = capsys.readouterr().out
    assert "to llama.cpp |" in out and HIGH not in out.split("\n\n")[0]
    assert "llama.cpp prefill: plain; llama.cpp decode: flash" in out


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(compare_peers.main, arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and not captured.out
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_python_without_the_peer_is_told_how_to_get_it(model, tmp_path, monkeypatch, capsys):
    (tmp_path / "llama_cpp.py").write_text("raise ImportError('not this one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = refused(["--model", str(model)], capsys)
    assert "no llama_cpp: not this one" in line and f"{sys.executable} -m pip install llama-cpp-python" in line


def test_bad_input_is_one_line(model, stand_in, capsys):
    common = ["--model", str(model), "--peer-python", str(stand_in), "--rounds", "1", "--threads", "1"]
    assert "cannot run no/such/python" in refused(["--model", str(model), "--peer-python", "no/such/python"], capsys)
    assert "rounds must be at least 1" in refused([*common, "--rounds", "0"], capsys)
    assert "exceed the context of 96" in refused([*common, "-n", "500"], capsys)
    assert "no model folder at no/such/model" in refused(["--model", "no/such/model"], capsys)
