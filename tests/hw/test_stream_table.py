"""The base of tables of cases: what is right passes, and everything that can be wrong is told by case and place."""

from __future__ import annotations

import pytest

from sim.runner import BenchFailure
from tests.hw.stream_table import Case, check
from tests.sim.components import FAULTS, StreamFifo
from tests.sim.stream_copy_bench import LAYOUTS

VALUES = [{"row": n % 8, "value": 5 * n - 200, "lanes": [n % 8, -1, -(n % 8)], "last": n % 5 == 4} for n in range(80)]


def case(name: str, sent=VALUES, expected=None, *, fault: str | None = None, **options) -> Case:
    """`sent` through the FIFO; what is expected is the same if not said."""
    return Case(name, inputs={"i": sent}, outputs={"o": sent if expected is None else expected},
                settings={"fault": 0 if fault is None else 1 + FAULTS.index(fault)}, **options)


def check_fifo(*cases: Case, **options) -> None:
    check(StreamFifo(LAYOUTS["element"]), cases, **options)


def failure(*cases: Case, **options) -> list[str]:
    """The lines of the message, without the log of the simulator."""
    with pytest.raises(BenchFailure) as caught:
        check_fifo(*cases, **options)
    assert caught.value.asserted
    lines = str(caught.value).splitlines()
    return [lines[1].rpartition(": ")[2], *[line for line in lines[2:] if line.startswith(("case ", "and "))]]


def changed(place: int, **fields) -> list[dict]:
    return [value | fields if n == place else value for n, value in enumerate(VALUES)]


def test_cases_that_match_pass():
    steps = [{"i": VALUES[:3]}, {"i": VALUES[3:]}]
    masks = [dict(row=7, value=0, lanes=[-1] * 3, last=1)] * len(VALUES)
    check_fifo(case("plain"), case("nothing", []), Case("steps", inputs=steps, outputs={"o": VALUES}),
               case("care", expected=changed(7, value=3), care={"o": masks}), case("at the end", steady={"level": 0}))


def test_what_is_wrong_is_told_by_case_and_place():
    """Each of them alone: the runs between them and after them pass."""
    lines = failure(
        case("right"), case("differs", expected=changed(17, value=0, lanes=[1, -1, 6])), case("right again"),
        case("missing", expected=[*VALUES, VALUES[4]]), case("more", expected=VALUES[:-1]),
        Case("none named", inputs={"i": VALUES[:2]}, outputs={}), case("refused", expected=[], fault="takes nothing"),
        case("not steady", steady={"level": 2}), case("right at last"), stalls=[0.0])
    assert lines == [
        "6 of 9 runs failed",
        "case differs, stall 0.0: o[17].value is -115, not 0, o[17].lanes[2] is -1, not 6",
        "case missing, stall 0.0: o[80] of 81 did not come, {.row: 4, .value: -180, .lanes[0]: 4, .lanes[1]: -1, "
        ".lanes[2]: -4, .last: 1}: o: no valid for 20000 cycles",
        "case more, stall 0.0: o gave 1 more than 79: {.row: 7, .value: 195, .lanes[0]: 7, .lanes[1]: -1, "
        ".lanes[2]: -7, .last: 1}",
        "case none named, stall 0.0: o gave 2 more than 0: {.row: 0, .value: -200, .lanes[0]: 0, .lanes[1]: -1, "
        ".lanes[2]: 0, .last: 0}",
        "case refused, stall 0.0: i: ready has been low for 20000 cycles",
        "case not steady, stall 0.0: level is 0, not 2"]


def test_a_broken_rule_is_told_and_many_failures_are_counted():
    faults = ["valid falls", "payload changes", "wrong bit", "drops", "valid waits for ready"]
    first, *told, more = failure(*[case(fault, fault=fault) for fault in faults], case("right"),
                                 *[case(f"{n}", expected=changed(n, row=7)) for n in range(6)], stalls=[0.5])
    assert first == "11 of 12 runs failed" and more == "and 3 more"
    names = [*faults, "0", "1", "2"]
    assert [line.partition(", stall 0.5: o")[0] for line in told] == [f"case {name}" for name in names]
    assert "valid fell before the transfer" in told[0] and "before its transfer" in told[1]


@pytest.mark.parametrize(("cases", "message"), [
    ([], r"need cases, each with a name of its own, and stalls, got \[\]"),
    ([case("a"), case("a")], r"got \['a', 'a'\]"),
    ([case("a", steady={"o": VALUES[0]})], "a: o is not an output port"),
    ([Case("a", inputs={"o": VALUES}, outputs={})], "a: o is not an input stream"),
    ([Case("a", inputs={}, outputs={}, settings={"none": 1})], "a: none is not an input port"),
    ([case("a", [VALUES[0] | {"row": 8}])], r"a: i: 8 does not fit unsigned\(3\)"),
    ([case("a", care={"o": [VALUES[0]]})], "a: 1 masks for 80 of o")])
def test_a_table_that_does_not_fit_is_refused(cases, message):
    with pytest.raises(ValueError, match=message):
        check_fifo(*cases)
