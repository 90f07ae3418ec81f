"""Each kind of fault once on the core of the tests; and a campaign finds what it is for."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from host.devices.base import Device
from hw.boards.registry import BOARDS
from hw.stream.reset_tree import SHORTEST_RESET
from models.errors import DeviceError, OptionError
from models.machine.descriptor import Opcode
from scripts.verify.inject import __main__ as command
from scripts.verify.inject import workers
from scripts.verify.inject.bench import Bench
from scripts.verify.inject.beside import TokenError
from scripts.verify.inject.campaign import run_cases, tallies
from scripts.verify.inject.damaged import run_damaged
from scripts.verify.inject.descriptors import DecodeList
from scripts.verify.inject.form import PLAIN
from scripts.verify.inject.kinds import kinds_of
from sim import rtl_device
from sim.port_fault import Channel, PortFault, Wrong
from tests.sim.cores import FOUR_SLOTS

SEED = 3


@pytest.fixture(scope="module")
def bench():
    return Bench(FOUR_SLOTS, SEED)


@pytest.fixture(autouse=True)
def fresh(bench):
    bench.form = PLAIN
    yield
    bench.reset()


def numbers_of(bench, *names):
    """The first case of each kind, or of those with one of the names in theirs, whatever the port."""
    first = {}
    for number, kind in enumerate(kinds_of(bench)):
        if not names or any(name in kind.name for name in names):
            first.setdefault(re.sub(", port .", "", kind.name), number)
    return list(first.values())


def findings(cases):
    return [f"{case.number} {case.what}: {case.finding}" for case in cases if case.finding]


def test_each_kind_is_named_and_the_next_tokens_are_right(bench):
    numbers = numbers_of(bench)
    cases = list(run_cases(bench, kinds_of(bench), SEED, numbers))
    assert findings(cases) == []
    assert len(cases) == 31 and sum(case.acted for case in cases) >= 30
    found = tallies(cases)
    assert sum(tally.restless for tally in found.values()) == 5  # a channel that stands still for ever
    assert sum(tally.named for tally in found.values()) >= 24
    assert sum("rows" in case.form for case in cases) >= 5 and sum("stops" in case.form for case in cases) >= 5


def test_store_is_among_what_is_made_wrong(bench):
    kinds = kinds_of(bench)
    first, = numbers_of(bench, "address outside")
    cases = list(run_cases(bench, kinds, SEED, range(first, 12 * len(kinds), len(kinds))))
    assert findings(cases) == [] and any(case.what.startswith("STORE") for case in cases)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_many_of_each_kind(bench, seed):
    kinds = kinds_of(bench)
    assert findings(run_cases(bench, kinds, seed, range(5 * len(kinds)))) == []


def test_a_case_is_the_same_when_it_runs_again(bench):
    numbers = numbers_of(bench, "SLVERR", "Ctrl-C at a cycle")
    kinds = kinds_of(bench)
    alone = [list(run_cases(bench, kinds, SEED, [number])) for number in reversed(numbers)]
    assert [case for cases in reversed(alone) for case in cases] == list(run_cases(bench, kinds, SEED, numbers))


def test_the_boards_memory_is_survived_too(bench, monkeypatch):
    numbers = numbers_of(bench, "SLVERR", "R stands still beyond", "reset in a run")
    monkeypatch.setattr(rtl_device, "board_of", lambda build: BOARDS["kv260"])
    cases = list(run_cases(bench, kinds_of(bench), SEED, numbers))
    assert bench.core.memory_model == "kv260"
    assert findings(cases) == [] and all(case.said for case in cases) and len(cases) == 5


@pytest.mark.parametrize("half_writes", [False, True])
def test_a_reset_amid_a_write_is_survived_or_told(bench, half_writes):
    """Memory that waits for the rest of a write keeps the device from being used: no wrong token comes of it."""
    port = next(port for port, used in enumerate(bench.used) if used.write_beats)
    held = PortFault(port, Channel.W, Wrong.HOLD, 1, 1000)
    bench.begin([1])

    def reset():
        while not bench.core.acted(held):
            bench.core.run(5)
        bench.core.reset_alone(SHORTEST_RESET, half_writes=half_writes)
        bench.core.clear_faults()

    bench.core.plant(held)
    bench.device.arm(reset, at=1)
    assert "was reset in the midst of a run" in bench.fails_with([2])
    if half_writes:
        assert "does not come to rest" in bench.fails_with([2])
        with pytest.raises(DeviceError, match="does not come to rest"):
            bench.session.recover()
    else:
        bench.check(2)
        bench.check(3)


@pytest.mark.parametrize("cycles, broken", [(SHORTEST_RESET, 0), (1, 1)])
def test_a_reset_lasts_until_held_addresses_fall(bench, cycles, broken):
    held = PortFault(0, Channel.AR, Wrong.HOLD, 2, 10_000)
    bench.begin([1])

    def reset():
        while not bench.core.acted(held):
            bench.core.run(5)
        bench.core.run(20)  # an address is offered by now
        bench.core.reset_alone(cycles)
        bench.core.run(20)
        bench.core.clear_faults()

    bench.core.plant(held)
    bench.device.arm(reset, at=1)
    assert "was reset in the midst of a run" in bench.fails_with([2])
    errors = bench.core.protocol_errors()
    assert len(errors) == broken and all("read address changed or fell" in error for error in errors)
    bench.check(2)


def test_damaged_programs_stay_in_their_buffer(bench):
    cases = list(run_damaged(bench, SEED, range(20)))
    assert findings(cases) == []
    assert len({case.ending for case in cases}) >= 4
    assert sum(case.checked is not None for case in cases) > 10


@pytest.mark.parametrize("broken, name, found", [
    ("stop", "Ctrl-C at a cycle", "AssertionError|started while it was busy|id "),
    ("confine", "reset in a run", "reset since its memory was set up"),
])
def test_a_host_that_does_not_do_its_part_is_found(broken, name, found, bench, monkeypatch):
    """Each method in turn does nothing."""
    numbers = numbers_of(bench, name)
    monkeypatch.setattr(Device, broken, lambda self, *_: None)
    try:
        cases = list(run_cases(bench, kinds_of(bench), SEED, numbers))
    except Exception as error:
        assert re.search(found, repr(error)), error
    else:
        assert re.search(found, " ".join(findings(cases))), cases


def test_a_write_outside_is_found(bench, monkeypatch):
    """By a case that writes itself, as a fabric without limits would."""
    decode = bench.fails_with

    def writes(token):
        bench.core.memory[5] ^= 1
        return decode(token)

    monkeypatch.setattr(bench, "fails_with", writes)
    assert "1 bytes outside the buffer were written" in findings(run_damaged(bench, SEED, [0]))[0]


def test_a_wrong_token_is_found(bench):
    bench.begin([4])
    start = bench.session.program.memory["0.down"]
    bench.session.buffer.array[start:start + 4000] = 0
    with pytest.raises(TokenError, match="id .* in place of .* at position 1"):
        bench.check(5)


def test_descriptors_are_changed_where_they_lie(bench):
    listed = DecodeList(bench.session)
    index = listed.indices(Opcode.ATTEND)[0]
    before = listed.raw.copy()
    listed.put(index, "heads", 5)
    assert np.flatnonzero(before != listed.raw).tolist() == [index * 64 + 12]
    listed.flip(index, 511)
    assert listed.raw[index * 64 + 63] == before[index * 64 + 63] ^ 0x80


def test_the_command_prints_its_table(bench, monkeypatch, capsys):
    monkeypatch.setattr(workers, "Bench", lambda build, seed: bench)
    with pytest.raises(SystemExit, match="0"):
        command.main(["faults", "--kind", "abort", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["cases"] == 1 and found["findings"] == [] and found["kinds"]["abort"]["named"] == 1
    with pytest.raises(SystemExit, match="0"):
        command.main(["damaged", "--case", "7"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("| all | 1 |")
    with pytest.raises(OptionError, match="no case is of a kind with 'nothing'"):
        command.main(["faults", "--kind", "nothing"])
    with pytest.raises(OptionError, match="at least 1"):
        command.main(["damaged", "--cases", "0"])
