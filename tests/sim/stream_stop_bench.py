"""Ends of a `StreamFifo`'s streams that stop or wait, and what they report instead of failing the test."""

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from sim.streams import ProtocolError, StreamSink, StreamSource, StreamTimeout
from sim.testbench import reset, start
from tests.sim.components import FAULTS


@cocotb.test()
async def stopped_ends_leave_their_ports(dut):
    dut.fault.value = 0
    source, sink = StreamSource(dut, "i", stall=0.3), StreamSink(dut, "o", stall=0.3)
    await start(dut)
    await source.send(range(50))
    last = (await sink.receive(20))[-1]
    dut.rst.value = 1
    source.send_nowait(7, 7, 7)
    source.stop()
    sink.stop()
    await ClockCycles(dut.clk, 2)
    assert last == 19 and not dut.i__valid.value and not dut.o__ready.value
    taken = len(sink.cycles)
    await reset(dut)
    await ClockCycles(dut.clk, 20)
    assert not dut.i__valid.value and not dut.o__ready.value and not dut.level.value and len(sink.cycles) == taken
    other, taker = StreamSource(dut, "i"), StreamSink(dut, "o")
    await reset(dut)
    await other.send(range(100, 110))
    assert await taker.receive(10) == list(range(100, 110))
    other.stop()
    taker.stop()


@cocotb.test()
async def ends_report(dut):
    told = []
    dut.fault.value = 1 + FAULTS.index("payload changes")
    source = StreamSource(dut, "i", patience=100, report=told.append)
    StreamSink(dut, "o", stall=0.7, report=told.append)
    await start(dut)
    source.send_nowait(*range(200))
    await ClockCycles(dut.clk, 1000)
    # The sink stands still after its report, so that nobody takes what the source has.
    assert [type(error) for error in told] == [ProtocolError, StreamTimeout], told


@cocotb.test()
async def a_salt_gives_other_stalls(dut):
    dut.fault.value = 0
    found = []
    for n, salt in enumerate(["", "", "/other"]):
        source, sink = StreamSource(dut, "i"), StreamSink(dut, "o", stall=0.5, salt=salt)
        await (reset if n else start)(dut)
        source.send_nowait(*range(40))
        await sink.receive(40)
        found.append(sink.cycles)
        dut.rst.value = 1
        source.stop()
        sink.stop()
    assert found[0] == found[1] != found[2]


@cocotb.test()
async def what_is_sent_shows_before_the_next_edge(dut):
    """Whether the sender's turn at an edge comes before that of the ends or behind it."""
    dut.fault.value = 0

    async def sender(at):
        for _ in range(at):
            await RisingEdge(dut.clk)
        source.send_nowait(at)

    start_soon(sender(20))
    source, sink = StreamSource(dut, "i"), StreamSink(dut, "o", always_ready=True)
    start_soon(sender(30))
    await start(dut)
    assert await sink.receive(2) == [20, 30]
    assert sink.cycles[1] - sink.cycles[0] == 10
