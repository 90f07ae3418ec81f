"""Row control: what each command's rows are said to be, when their work starts, and what it leaves behind."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import OPERANDS, ScalarOp
from hw.command import POSITIONS
from hw.vector.layer_inputs import STEP_WRITE
from hw.vector.row import KIND, ROW
from models.golden.scalar import Scalar, mul
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start

STARTS = ("start_norm", "start_heads", "ask", "start_select", "start_store")
ANSWERS = ("norm_ready", "heads_ready", "ask_ready", "heads_busy", "added", "selected", "stored")
PATIENCE = 300


async def _multiply(operands: StreamSink, results: StreamSource) -> None:
    """The scalar unit: of its operations the control takes products alone."""
    while True:
        given = await operands.receive()
        assert given["op"] == ScalarOp.MUL.value
        product = mul(Scalar(given["a"]["m"], given["a"]["e"]), Scalar(given["b"]["m"], given["b"]["e"]))
        results.send_nowait({"m": product.m, "e": product.e})


class Peers:
    """Everything that the control starts, with the cycle's outputs."""

    def __init__(self, dut, name: str) -> None:
        self.dut, self.random = dut, generator(name)
        self.kind, self.row = Packing.of(KIND), Packing.of(ROW)
        for port in (*ANSWERS, "write_idle"):
            getattr(dut, port).value = 0

    async def step(self) -> set[str]:
        """One cycle; the starts that are high in it."""
        await RisingEdge(self.dut.clk)
        return {port for port in STARTS if getattr(self.dut, port).value}

    async def until(self, wanted: str) -> None:
        """To the first cycle in which `wanted` is high; no other start before."""
        for _ in range(PATIENCE):
            high = await self.step()
            assert high <= {wanted}, f"{high} instead of {wanted}"
            if high:
                return
        raise AssertionError(f"{wanted} does not come")

    async def answered(self, start: str, answer: str, *, beside: frozenset[str] = frozenset()) -> None:
        """`start` is high up to the cycle of its answer, some cycles later; in that one `beside` is high as well."""
        for _ in range(self.random.randrange(4)):
            assert await self.step() == {start}
        getattr(self.dut, answer).value = 1
        assert await self.step() == {start} | beside
        getattr(self.dut, answer).value = 0

    async def quiet(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            assert not await self.step()
            assert not self.dut.retired.value

    async def pulse(self, answer: str) -> None:
        await self.quiet()
        getattr(self.dut, answer).value = 1
        await self.step()
        getattr(self.dut, answer).value = 0

    def check(self, expected: dict, where: str) -> None:
        """Kind and row, as far as `expected` goes."""
        kind, row = self.kind.unpack(int(self.dut.kind.value)), self.row.unpack(int(self.dut.row.value))
        for found, wanted in ((kind, expected["kind"]), (row, expected["row"])):
            different = {name: found[name] for name, value in wanted.items() if found[name] != value}
            assert not different, f"{where}: {different}, not {wanted}"


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def commands_in_turn(dut, stall):
    given, peers = parameters(), Peers(dut, f"stall {stall}")
    commands, steps = StreamSource(dut, "command", stall=stall), StreamSource(dut, "i_step", STEP_WRITE)
    units = StreamSource(dut, "norm_unit", SCALAR, stall=stall)
    cocotb.start_soon(_multiply(StreamSink(dut, "scalar__operands", OPERANDS, stall=stall),
                                StreamSource(dut, "scalar__result", SCALAR, stall=stall)))
    dut.positions.value = Packing.of(POSITIONS).pack(given["positions"])
    scalar = Packing.of(SCALAR)
    await start(dut)
    await steps.send({"row": row, "unit": unit} for row, unit in enumerate(given["units"]))
    for n, command in enumerate(given["commands"]):
        commands.send_nowait(command["bits"])
        for at, expected in enumerate(command["rows"]):
            where, begins = f"command {n}, row {at}", command["begins"]
            await peers.until(begins)
            peers.check(expected, where)
            assert int(dut.held.value) == command["bits"]
            if begins == "start_norm":
                await peers.answered("start_norm", "norm_ready")
                await peers.quiet()
                await units.send([expected["unit"]])
                counted = 0
                for _ in range(2):
                    await peers.step()
                    counted += int(dut.counting.value)
                assert counted == command["counting"], f"{where}: counting pulses {counted} times"
                held = int(dut.unit.value) >> scalar.width * expected["row"]["index"]
                assert scalar.unpack(held & (1 << scalar.width) - 1) == expected["unit"], f"{where}: unit"
            elif begins == "start_heads":
                await peers.answered("start_heads", "heads_ready")
                dut.heads_busy.value = 1
                await peers.until("ask")
                await peers.answered("ask", "ask_ready")
                await peers.quiet()
                dut.heads_busy.value = 0
            elif begins == "ask":
                beside = frozenset({"start_select"} if command["ends"] == "selected" else ())
                await peers.answered("ask", "ask_ready", beside=beside)
                await peers.pulse(command["ends"])
            else:
                await peers.pulse("stored")
            if begins != "start_norm":
                peers.check(expected, where)
        for _ in range(8):
            assert not await peers.step()
            assert not dut.retired.value
        dut.write_idle.value = 1
        retired = 0
        for _ in range(3):
            await peers.step()
            retired += int(dut.retired.value)
        dut.write_idle.value = 0
        assert retired == 1, f"command {n} retires {retired} times"
