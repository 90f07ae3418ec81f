"""The simulator's side of `tests.hw.stream_table`: a table of cases, one after another, each out of reset.

Payloads travel as integers; what tells them apart in a message comes with the ports, so no layouts are needed here.
"""

from __future__ import annotations

from functools import partial

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, Event, RisingEdge

from sim.streams import StreamSink, StreamSource, StreamTimeout
from sim.testbench import parameters, reset, start

_QUIET_CYCLES = 60  # after the last transfer, in which nothing more may come
_STEADY_CYCLES = 8  # the last of them, in which plain outputs are what they must be
_TOLD = 8  # failing runs in a message, and fields of a transfer


@cocotb.test()
async def every_case_matches(dut):
    """With every probability of stalls, every output stream gives exactly the expected payloads, in order."""
    given = parameters()
    runs = [_Run(dut, given["ports"], case, stall) for case in given["cases"] for stall in given["stalls"]]
    failed = [run for n, run in enumerate(runs) if not await run.passes(first=n == 0)]
    if failed:
        told = [f"case {run.name}, stall {run.stall}: {run.failure}" for run in failed[:_TOLD]]
        more = [f"and {len(failed) - _TOLD} more"] if len(failed) > _TOLD else []
        raise AssertionError("\n".join([f"{len(failed)} of {len(runs)} runs failed", *told, *more]))


def _numbers(fields, bits):
    """Path and number of each field, for people."""
    found = []
    for path, offset, width, signed in fields:
        value = (bits >> offset) % (1 << width)
        sign = value >> (width - 1) << width if signed and width else 0
        found.append((path, f"{value} ({value:#x})" if width > 16 and not signed else str(value - sign)))
    return found


def _some(texts):
    return ", ".join([*texts[:_TOLD], *([f"and {len(texts) - _TOLD} more"] if len(texts) > _TOLD else [])])


def _shown(fields, bits):
    """A whole value: `5`, or `{.row: 5, .last: 0}`."""
    numbers = _numbers(fields, bits)
    if [path for path, _ in numbers] == [""]:
        return numbers[0][1]
    return "{" + _some([f"{path}: {text}" for path, text in numbers]) + "}"


def _differing(place, fields, got, expected):
    """The fields in which two values differ."""
    return _some([f"{place}{path} is {text}, not {other}" for (path, text), (_, other) in zip(
        _numbers(fields, got), _numbers(fields, expected), strict=True) if text != other])


class _Run:
    """One case with one probability of stalls. failure: what was wrong first, once it has run."""

    def __init__(self, dut, ports, case, stall):
        self._dut, self._ports, self._case = dut, ports, case
        self.name, self.stall, self.failure = case["name"], stall, None
        self._fed, self._ended = Event(), Event()

    async def passes(self, first):
        """Run it; whether nothing was wrong. first: whether the clock is still to be started."""
        dut = self._dut
        for port in self._ports["settings"]:
            getattr(dut, port).value = self._case["settings"].get(port, 0)
        dut.rst.value, salt = 1, f"/{self.name}"
        self._sources = {port: StreamSource(dut, port, stall=self.stall, salt=salt, report=self._fail)
                         for port in self._ports["inputs"]}
        self._sinks = {port: StreamSink(dut, port, stall=self.stall, salt=salt, report=partial(self._broken, port),
                                        always_ready=port in self._ports["always_ready"])
                       for port in self._ports["outputs"]}
        await (start if first else reset)(dut)
        work = [start_soon(self._feed()), start_soon(self._exchange())]
        await self._ended.wait()
        dut.rst.value = 1
        for task in work:
            task.cancel()
        for end in (*self._sources.values(), *self._sinks.values()):
            end.stop()
        return self.failure is None

    def _fail(self, error):
        if self.failure is None:
            self.failure = str(error)
        self._ended.set()

    def _broken(self, port, error):
        """What a sink says: the protocol broken, or a transfer that does not come."""
        expected, n = self._case["outputs"].get(port, []), len(self._sinks[port].cycles)
        if isinstance(error, StreamTimeout):
            error = f"{port}[{n}] of {len(expected)} did not come, {self._shown(port, expected[n])}: {error}"
        self._fail(error)

    def _shown(self, port, bits):
        return _shown(self._ports["fields"][port], bits)

    def _same(self, place, port, got, expected):
        if got != expected:
            raise AssertionError(_differing(place, self._ports["fields"][port], got, expected))

    async def _exchange(self):
        try:
            await self._transfer()
        except AssertionError as error:
            self._fail(error)
        self._ended.set()

    async def _transfer(self):
        for port, sink in self._sinks.items():
            masks = self._case["care"].get(port)
            for n, expected in enumerate(self._case["outputs"].get(port, [])):
                got, mask = await sink.receive(), masks[n] if masks else -1
                self._same(f"{port}[{n}]", port, got & mask, expected & mask)
        await self._fed.wait()
        await ClockCycles(self._dut.clk, _QUIET_CYCLES - _STEADY_CYCLES)
        for _ in range(_STEADY_CYCLES):
            await RisingEdge(self._dut.clk)
            for port, expected in self._case["steady"].items():
                self._same(port, port, int(getattr(self._dut, port).value), expected)
        for port, sink in self._sinks.items():
            extra = sink.receive_nowait()
            if extra:
                count = len(self._case["outputs"].get(port, []))
                raise AssertionError(f"{port} gave {len(extra)} more than {count}: {self._shown(port, extra[0])}")

    async def _feed(self):
        for step in self._case["steps"]:
            for port, values in step.items():
                self._sources[port].send_nowait(*values)
            for port in step:
                await self._sources[port].drain()
        self._fed.set()
