"""Engine queue: the order of take, hand-over, retirement and give, and what idle and busy say."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from models.machine.descriptor import Opcode, unpack
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.control.programs import random_descriptor


class Bench:
    """Watches the four ports of the queue and drives an engine and semaphores of random readiness."""

    def __init__(self, dut, stall: float) -> None:
        self.dut, self.stall, self.random = dut, stall, generator("bench")
        self.events: list[tuple[str, int]] = []
        self._left: int | None = None
        self._ready = dict.fromkeys(("take", "command", "give"), False)
        for name in self._ready:
            getattr(dut, f"{name}__ready").value = 0
        dut.retired.value = 0
        start_soon(self._run())

    async def _run(self) -> None:
        held: dict[str, int] = {}
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.rst.value:
                continue
            assert bool(self.dut.busy.value) == (self._left is not None)
            if self._left is not None:
                if self._left == 0:
                    self.events.append(("retired", 0))
                self._left = self._left - 1 if self._left else None
            for name, ready in self._ready.items():
                payload = int(getattr(self.dut, f"{name}__payload").value)
                valid = bool(getattr(self.dut, f"{name}__valid").value)
                if name in held:
                    assert valid and payload == held.pop(name), name
                if valid and ready:
                    self.events.append((name, payload))
                    if name == "command":
                        self._left = self.random.randrange(6)
                elif valid:
                    held[name] = payload
            self.dut.retired.value = self._left == 0
            for name in self._ready:
                self._ready[name] = self.random.random() >= self.stall
                getattr(self.dut, f"{name}__ready").value = self._ready[name]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.6])
async def events_in_order(dut, stall):
    bench = Bench(dut, stall)
    source = StreamSource(dut, "i", stall=stall)
    await start(dut)
    await ClockCycles(dut.clk, 2)
    assert dut.idle.value
    random = bench.random
    descriptors = [random_descriptor(random, random.choice(list(Opcode)),
                                     wait=random.choice([0, random.getrandbits(16)]),
                                     signal=random.choice([0, random.getrandbits(16)])) for _ in range(60)]
    bits = 512 // parameters()["beats"]
    source.send_nowait(*(int.from_bytes(d, "little") >> at & (1 << bits) - 1
                         for d in descriptors for at in range(0, 512, bits)))
    await source.drain()
    await RisingEdge(dut.clk)
    while not dut.idle.value:
        await RisingEdge(dut.clk)
    expected = []
    for descriptor in descriptors:
        fields = unpack(descriptor)
        expected += [("take", fields.wait)] * bool(fields.wait)
        expected += [("command", int.from_bytes(descriptor, "little")), ("retired", 0)]
        expected += [("give", fields.signal)] * bool(fields.signal)
    assert bench.events == expected


@cocotb.test()
async def holds_its_depth(dut):
    """Descriptors wait in the queue while the engine does not take the first one."""
    for name in ("take", "command", "give"):
        getattr(dut, f"{name}__ready").value = 0
    dut.retired.value = 0
    dut.i__valid.value = 1
    dut.i__payload.value = 1 << 32
    await start(dut)
    accepted = 0
    for _ in range(60):
        await RisingEdge(dut.clk)
        accepted += int(dut.i__ready.value)
    assert accepted // parameters()["beats"] == parameters()["holds"]
    assert not dut.idle.value and dut.take__valid.value and not dut.command__valid.value
