"""The speed command: what it times, what it reports, what it refuses."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from host import bench
from host.bench import Timing, bench_ids, measure, summary
from host.runtime import Top
from models.command import run_command


@dataclass
class Clocked:
    """A session whose passes take a known time on a clock of their own; the first round is slower."""

    context: int = 64
    rows: int = 2
    remembers: bool = False
    now: float = 0.0
    calls: list = field(default_factory=list)
    model: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(config=SimpleNamespace(eos_ids=(8,))))

    def reset(self):
        self.calls.append("reset")
        self.positions = [0]
        self.now += 100  # must not be counted

    @property
    def slowness(self):
        return 10 if self.calls.count("reset") == 1 else self.calls.count("reset") - 1

    def checked(self, ids):
        return ids

    def advance(self, parts, head_from, own):
        (sequence, ids), = parts
        self.calls.append((ids, head_from))
        self.positions[sequence] += len(ids)
        self.now += (1 if len(self.calls) % 5 in (2, 3) else 0.5) * self.slowness
        return [Top(np.array([1]), np.array([0]))] * (len(ids) - head_from)


@pytest.fixture
def clocked(monkeypatch):
    session = Clocked()
    monkeypatch.setattr(bench.time, "perf_counter", lambda: session.now)
    return session


def test_prompt_and_steps_are_timed_apart_after_a_warm_up(clocked):
    seen = []
    timings = measure(clocked, [5, 6, 7], [8, 9], 3, seen.append)
    assert clocked.calls == ["reset", ([5, 6], 2), ([7], 0), ([8], 0), ([9], 0)] * 4
    assert timings == [Timing(2, 1), Timing(4, 2), Timing(6, 3)]
    assert sum(seen) == 4 * 5


def test_the_energy_of_the_steps_alone_counts(clocked):
    class Meter:
        joules = property(lambda self: clocked.now * 3)

    timings = measure(clocked, [5, 6, 7], [8, 9], 2, meter=Meter())
    assert timings == [Timing(2, 1, 3), Timing(4, 2, 6)]


def test_the_summary_is_of_the_median_and_of_the_best():
    found = summary([Timing(2, 8), Timing(1, 4), Timing(8, 1)], 16, 8)
    assert found == {"prefill_tokens_per_s": 8, "decode_tokens_per_s": 2, "prefill_best_tokens_per_s": 16,
                     "decode_best_tokens_per_s": 8, "first_token_s": 2, "watts": None, "joules_per_token": None}
    measured = summary([Timing(2, 8, 40), Timing(1, 4, 16), Timing(8, 2, 14)], 16, 7)
    assert (measured["watts"], measured["joules_per_token"]) == (5, 10 / 3)


def test_ids_are_seeded_and_within_the_vocabulary():
    prompt, steps = bench_ids(11, 200, 50, seed=1)
    assert (len(prompt), len(steps)) == (200, 50)
    assert set(prompt + steps) == set(range(11))
    assert (prompt, steps) == bench_ids(11, 200, 50, seed=1) != bench_ids(11, 200, 50, seed=2)


@pytest.mark.parametrize("prompt,steps,repeats,message", [
    (0, 1, 1, "prompt tokens must be at least 1, got 0"),
    (1, 0, 1, "new tokens must be at least 1, got 0"),
    (1, 1, 0, "repeats must be at least 1, got 0"),
    (60, 5, 1, "a prompt of 60 tokens and 5 new ones exceed the context of 64"),
])
def test_counts_that_make_no_sense_are_refused(clocked, prompt, steps, repeats, message):
    with pytest.raises(bench.OptionError, match=message):
        measure(clocked, [1] * prompt, [1] * steps, repeats)
    assert clocked.calls == []


@pytest.mark.parametrize("arguments, message", [
    (["--prompt-tokens", str(10**12)], "tokens and 64 new ones exceed the context of 512"),
    (["--repeats", "-1"], "repeats must be at least 1, got -1"),
    (["--seed", "-1"], "--seed must not be negative, got -1"),
])
def test_counts_are_checked_before_ids_are_made(capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_:
        run_command(bench.main, arguments)
    assert exit_.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


def test_the_command_on_the_shipped_model(capsys):
    run_command(bench.main, ["--prompt-tokens", "9", "-n", "3", "--repeats", "2", "--threads", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["prefill_tokens_per_s"] == pytest.approx(9 / found["first_token_s"])
    assert 0 < found["decode_tokens_per_s"] <= found["decode_best_tokens_per_s"]
    assert (found["prompt_tokens"], found["new_tokens"], found["repeats"], found["threads"]) == (9, 3, 2, 1)
    assert found["kernels"] != "auto"
    run_command(bench.main, ["--prompt-tokens", "9", "-n", "3", "--repeats", "1"])
    out = capsys.readouterr().out
    assert "prefill" in out and "decode" in out


@pytest.mark.parametrize("arguments,message", [
    (["--model", "no/such/model"], "no/such/model"), (["--prompt-tokens", "-3"], "prompt tokens must be at least 1"),
    (["-n", "512"], "exceed the context"), (["--repeats", "0"], "repeats must be at least 1"),
])
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(bench.main, arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and not captured.out
    assert message in captured.err.strip().splitlines()[-1]
