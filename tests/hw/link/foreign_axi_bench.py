"""SerialLink before memories of cocotbext-axi, a model of AXI that is none of ours."""

from __future__ import annotations

import zlib
from itertools import repeat

import cocotb
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteRam, AxiRam

from models.machine.link import REGISTER_SPACE, LinkStatus, Operation
from sim.testbench import generator, parameters, start
from tests.hw.link.frames import request
from tests.hw.link.line import Line

SESSION = 7


@cocotb.test()
async def foreign_memories_keep_what_requests_wrote(dut):
    given, rng = parameters(), generator("data")
    dut.irq.value, dut.memory_ready.value = 0, 1
    line = Line(dut, given["bit_cycles"])
    ram = AxiRam(AxiBus.from_prefix(dut, "axi_"), dut.clk, dut.rst, size=given["memory_bytes"])
    lite = AxiLiteRam(AxiLiteBus.from_prefix(dut, "registers_"), dut.clk, dut.rst, size=REGISTER_SPACE)
    for slave in (ram, lite):
        for n, channel in enumerate((slave.write_if.aw_channel, slave.write_if.w_channel, slave.write_if.b_channel,
                                     slave.read_if.ar_channel, slave.read_if.r_channel)):
            pauses = generator(f"pause {n}")
            channel.set_pause_generator(pauses.random() < 0.4 for _ in repeat(None))
    image = bytearray(rng.randbytes(given["memory_bytes"]))
    ram.write(0, bytes(image))
    await start(dut)
    await line.ask(request(0, Operation.HELLO, SESSION))

    async def ask(sequence: int, operation: Operation, address: int, size: int, data: bytes = b"") -> bytes:
        answer, = await line.ask(request(sequence, operation, SESSION, address, size, data))
        assert answer.status == LinkStatus.OK
        return answer.data

    values = rng.randbytes(12)
    await ask(1, Operation.WRITE_REGISTERS, REGISTER_SPACE - 12, 12, values)
    assert lite.read(REGISTER_SPACE - 12, 12) == await ask(2, Operation.READ_REGISTERS, REGISTER_SPACE - 12, 12)
    assert lite.read(REGISTER_SPACE - 12, 12) == values
    image[240:288] = data = rng.randbytes(48)
    await ask(3, Operation.WRITE_MEMORY, 240, 48, data)
    image[-64:] = 4 * data[:16]
    await ask(4, Operation.FILL_MEMORY, len(image) - 64, 64, data[:16])
    assert ram.read(0, len(image)) == image
    assert await ask(5, Operation.READ_MEMORY, 224, 80) == image[224:304]
    assert await ask(6, Operation.CHECK_MEMORY, 0, 512) == zlib.crc32(image[:512]).to_bytes(4, "little")
