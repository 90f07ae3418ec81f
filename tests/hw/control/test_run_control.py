# amaranth: UnusedElaboratable=no
"""Run control: runs that end well and those that fail, what may come while one is under way, acknowledgements."""

from __future__ import annotations

from hw.control.run_control import RESET_CYCLES, SETTLE_CYCLES, RunControl
from models.machine.registers import Status
from tests.hw.cycle_table import check_cycles

INPUTS = ("start", "acknowledge", "abort", "quiet", "finished", "axi_error", "outside", "bad_descriptor", "expired")
OUTPUTS = ("go", "accepted", "busy", "failing", "reset_engines", "status", "irq", "cycles")
BEGIN = RESET_CYCLES + SETTLE_CYCLES
"""Cycles of a run before its engines work, where the memory is quiet."""


class Story:
    """Cycles by what is high in each, with the outputs that are known of it."""

    def __init__(self):
        self.inputs = {name: [] for name in INPUTS}
        self.outputs = {name: [] for name in OUTPUTS}

    def cycle(self, high="", *, repeat=1, **expected):
        """One cycle, or several alike: inputs high by name, and outputs; `status`, but for QUIET, also says `busy` and
        `irq`. quiet: what QUIET says, by default nothing known."""
        quiet = expected.pop("quiet", None)
        if "status" in expected:
            expected |= {"busy": expected["status"] & Status.BUSY, "irq": (expected["status"] & Status.DONE) >> 1}
        for _ in range(repeat):
            for name, values in self.inputs.items():
                values.append(int(name in high.split()))
            for name, values in self.outputs.items():
                value = expected.get(name, 0 if name in ("go", "accepted", "failing") else None)
                if name == "status" and value is not None:
                    value = value | Status.QUIET * quiet if quiet is not None else None
                values.append(value)

    def begin(self, also="", *, before):
        """A run's start up to `go`, beside a memory that is quiet as soon as that counts."""
        self.cycle(f"start {also}", accepted=1, status=before)
        self.cycle("quiet", repeat=RESET_CYCLES - 1, status=Status.BUSY, quiet=0, reset_engines=1)
        self.cycle("quiet", status=Status.BUSY, quiet=1, reset_engines=1)
        self.cycle("quiet", repeat=SETTLE_CYCLES - 1, status=Status.BUSY, reset_engines=0)
        self.cycle("quiet", status=Status.BUSY, reset_engines=0, go=1)

    def drain(self, status, *, cycles):
        """Behind an error: the reset lasts its time and until the memory is quiet, which a short one does not count."""
        self.cycle("quiet", repeat=3, status=status, quiet=0, reset_engines=1, cycles=cycles)
        self.cycle("start", status=status, quiet=0, reset_engines=1)
        self.cycle(repeat=RESET_CYCLES, status=status, quiet=0, reset_engines=1)
        self.cycle("quiet", status=status, quiet=1, reset_engines=1)
        self.cycle("quiet", status=status, quiet=1, reset_engines=0)


def failed(code):
    return Status.DONE | Status.ERROR | code << 8


def test_runs():
    assert (Status.BUSY, Status.DONE) == (1, 2)
    story = Story()
    cycle = story.cycle
    cycle("quiet", repeat=RESET_CYCLES - 1, status=0, quiet=0, reset_engines=1)
    cycle(repeat=2, status=0, quiet=0, reset_engines=1)
    cycle("quiet", status=0, quiet=1, reset_engines=1)
    cycle("quiet", status=0, quiet=1, reset_engines=0, cycles=0)
    # ends once both are high; an acknowledgement changes nothing
    story.begin(before=0)
    cycle("finished", repeat=3, status=Status.BUSY, quiet=0, reset_engines=0)
    cycle("quiet", repeat=2, status=Status.BUSY, quiet=1, cycles=0)
    cycle("acknowledge", status=Status.BUSY, quiet=0)
    cycle("finished quiet", status=Status.BUSY, quiet=1)
    cycle("quiet", repeat=3, status=Status.DONE, quiet=1, cycles=BEGIN + 7, reset_engines=0)
    # a start clears DONE as an acknowledgement does; what is of no run does nothing
    story.begin(before=Status.DONE)
    cycle("finished quiet", status=Status.BUSY, quiet=1, cycles=BEGIN + 7)
    cycle("axi_error outside bad_descriptor expired abort", status=Status.DONE, quiet=0, cycles=BEGIN + 1)
    cycle("acknowledge", status=Status.DONE, quiet=0)
    cycle("abort start", status=0, quiet=0)
    cycle(repeat=2, status=0, quiet=0, cycles=BEGIN + 1)
    # each error, the first of several, and no start until it is acknowledged
    everything = "axi_error outside bad_descriptor abort start expired finished quiet"
    codes = {"axi_error": Status.ERROR_AXI, "outside": Status.ERROR_OUTSIDE,
             "bad_descriptor": Status.ERROR_DESCRIPTOR, "abort": Status.ERROR_ABORTED, "start": Status.ERROR_BUSY,
             "expired": Status.ERROR_WATCHDOG}
    for error, code in codes.items():
        for several in (error, everything):
            story.begin(before=0)
            cycle(status=Status.BUSY, quiet=0)
            cycle(several, failing=1, status=Status.BUSY, reset_engines=0)
            story.drain(failed(code), cycles=BEGIN + 2)
            cycle("acknowledge", status=failed(code), quiet=0)
            cycle(status=0, quiet=0)
        everything = everything.replace(error, "")
    # a failed run acknowledged with the next one's start
    story.begin(before=0)
    cycle("expired", status=Status.BUSY, failing=1)
    story.begin("acknowledge", before=failed(Status.ERROR_WATCHDOG))
    cycle("finished quiet", status=Status.BUSY)
    cycle("acknowledge", status=Status.DONE, cycles=BEGIN + 1)
    # a memory that is never quiet keeps the reset, until the run is stopped as well; its old errors do not end it
    for stop, code in (("expired", Status.ERROR_WATCHDOG), ("abort", Status.ERROR_ABORTED),
                       ("start", Status.ERROR_BUSY)):
        cycle("start", accepted=1)
        cycle(repeat=RESET_CYCLES + 9, status=Status.BUSY, quiet=0, reset_engines=1)
        cycle("axi_error outside bad_descriptor", status=Status.BUSY, quiet=0, reset_engines=1)
        cycle(stop, status=Status.BUSY, failing=1, reset_engines=1)
        cycle(repeat=RESET_CYCLES + 2, status=failed(code), quiet=0, reset_engines=1, cycles=RESET_CYCLES + 11)
        cycle("acknowledge")
    # what comes between the reset and `go` stops the run, too
    for passed in range(SETTLE_CYCLES):
        cycle("start", accepted=1)
        cycle("quiet", repeat=RESET_CYCLES + passed, status=Status.BUSY)
        cycle("abort quiet", status=Status.BUSY, failing=1, go=0)
        cycle("quiet", status=failed(Status.ERROR_ABORTED), quiet=0, reset_engines=1)
        cycle("acknowledge")
    check_cycles(RunControl(), inputs=story.inputs, outputs=story.outputs)
