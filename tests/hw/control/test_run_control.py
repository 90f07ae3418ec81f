# amaranth: UnusedElaboratable=no
"""Run control: runs that end well and those that fail, what may come while one is under way, acknowledgements."""

from __future__ import annotations

from hw.control.run_control import RunControl
from models.machine.registers import Status
from tests.hw.cycle_table import check_cycles

INPUTS = ("start", "acknowledge", "quiet", "finished", "axi_error", "bad_descriptor", "expired")


class Story:
    """Cycles by what is high in each, with the outputs that are known of it."""

    def __init__(self):
        self.inputs = {name: [] for name in INPUTS}
        self.outputs = {name: [] for name in ("go", "accepted", "busy", "reset_engines", "status", "irq", "cycles")}

    def cycle(self, high="", *, repeat=1, **expected):
        """One cycle, or several alike: inputs high by name, and outputs; `status` also says `busy` and `irq`."""
        if "status" in expected:
            expected |= {"busy": expected["status"] & Status.BUSY, "irq": (expected["status"] & Status.DONE) >> 1}
        for _ in range(repeat):
            for name, values in self.inputs.items():
                values.append(int(name in high.split()))
            for name, values in self.outputs.items():
                values.append(expected.get(name, 0 if name in ("go", "accepted") else None))

    def begin(self, also="", *, before):
        """A run's start up to `go`, beside a memory that is quiet in its third cycle."""
        self.cycle(f"start {also}", accepted=1, status=before)
        self.cycle(repeat=2, status=Status.BUSY, reset_engines=1)
        self.cycle("quiet", status=Status.BUSY, reset_engines=1)
        self.cycle(status=Status.BUSY, reset_engines=0, go=1)


def failed(code):
    return Status.DONE | Status.ERROR | code << 8


def test_runs():
    assert (Status.BUSY, Status.DONE) == (1, 2)
    story = Story()
    cycle = story.cycle
    cycle(repeat=2, status=0, reset_engines=1)
    cycle("quiet", status=0, reset_engines=1)
    cycle(status=0, reset_engines=0, cycles=0)
    # ends once both are high; a second start is not accepted, an acknowledgement changes nothing
    story.begin(before=0)
    cycle("finished", repeat=3, status=Status.BUSY, reset_engines=0)
    cycle("quiet", repeat=2, status=Status.BUSY)
    cycle("start", status=Status.BUSY)
    cycle("acknowledge", status=Status.BUSY)
    cycle("finished quiet", status=Status.BUSY)
    cycle(repeat=3, status=Status.DONE, cycles=12, reset_engines=0)
    # a start clears DONE as an acknowledgement does
    story.begin(before=Status.DONE)
    cycle("finished quiet", status=Status.BUSY)
    cycle("axi_error bad_descriptor expired", status=Status.DONE, cycles=5)  # of no run
    cycle("acknowledge", status=Status.DONE)
    cycle(status=0, cycles=5)
    # each error, the first of several, and no start until it is acknowledged
    for errors, code in (("axi_error", Status.ERROR_AXI), ("bad_descriptor", Status.ERROR_DESCRIPTOR),
                         ("expired", Status.ERROR_WATCHDOG), ("expired bad_descriptor", Status.ERROR_DESCRIPTOR),
                         ("axi_error bad_descriptor expired finished quiet", Status.ERROR_AXI)):
        story.begin(before=0)
        cycle(status=Status.BUSY)
        cycle(errors, status=Status.BUSY, reset_engines=0)
        cycle(repeat=3, status=failed(code), reset_engines=1, cycles=6)
        cycle("start", status=failed(code), reset_engines=1)
        cycle("quiet", status=failed(code), reset_engines=1)
        cycle(status=failed(code), reset_engines=0)
        cycle("acknowledge", status=failed(code))
        cycle(status=0)
    # a failed run acknowledged with the next one's start
    story.begin(before=0)
    cycle("expired", status=Status.BUSY)
    story.begin("acknowledge", before=failed(Status.ERROR_WATCHDOG))
    cycle("finished quiet", status=Status.BUSY)
    cycle("acknowledge", status=Status.DONE, cycles=5)
    # a memory that is never quiet keeps the reset, until the watchdog ends that run as well
    cycle("start", status=0, accepted=1)
    cycle(repeat=9, status=Status.BUSY, reset_engines=1)
    cycle("axi_error", status=Status.BUSY, reset_engines=1)
    cycle("expired", status=Status.BUSY, reset_engines=1)
    cycle(repeat=2, status=failed(Status.ERROR_WATCHDOG), reset_engines=1, cycles=11)
    check_cycles(RunControl(), inputs=story.inputs, outputs=story.outputs)
