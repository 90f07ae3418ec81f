# amaranth: UnusedElaboratable=no
"""Run lights: what they show of accesses, the interrupt, a reset, and bytes on the line."""

from __future__ import annotations

from hw.soc.run_lights import RunLights
from models.machine.registers import Control, Status, register
from tests.hw.cycle_table import check_cycles

CONTROL, STATUS, POSITION = (register(name).offset for name in ("CONTROL", "STATUS", "POSITION"))
ALIVE = 5


def _write(offset, value):
    """Address, then data, then the answer, a cycle each."""
    return [{"bus__awvalid": 1, "bus__awaddr": offset}, {"bus__wvalid": 1, "bus__wdata": value},
            {"bus__bvalid": 1, "bus__bready": 1}]


def _read(offset, value):
    return [{"bus__arvalid": 1, "bus__araddr": offset}, {}, {"bus__rvalid": 1, "bus__rdata": value},
            {"bus__rvalid": 1, "bus__rready": 1, "bus__rdata": value}]


# (what happens, busy after it, error after it)
STORY = [
    (_write(POSITION, Control.START), 0, 0),
    (_write(CONTROL, Control.ACKNOWLEDGE), 0, 0),
    (_write(CONTROL, Control.START | Control.ACKNOWLEDGE), 1, 0),
    (_read(STATUS, Status.BUSY), 1, 0),
    ([{"irq": 1}], 0, 0),
    (_read(STATUS, Status.DONE | Status.ERROR), 0, 1),
    (_read(POSITION, 0), 0, 1),
    (_write(CONTROL, Control.START), 1, 1),
    ([{"reset": 1}], 0, 0),
]


def test_runs_and_errors():
    cycles, busy, error, before = [], [], [], (0, 0)
    for steps, *after in STORY:
        cycles += [*steps, {}]
        busy += [before[0]] * len(steps) + [after[0]]
        error += [before[1]] * len(steps) + [after[1]]
        before = after
    names = sorted({name for step in cycles for name in step})
    line = [1, 1, 0, 0, 1, 0] + [1] * (len(cycles) - 6)
    left, alive = 0, []
    for level in line:
        alive.append(int(left > 0))
        left = ALIVE if not level else max(0, left - 1)
    # `alive` is a register behind the count
    alive = [0, *alive[:-1]]
    check_cycles(RunLights(cycles=ALIVE + 1), inputs={"line": line} | {
        name: [step.get(name, 0) for step in cycles] for name in names},
        outputs={"busy": busy, "error": error, "alive": alive})
