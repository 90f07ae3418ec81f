"""The SDRAM controller between masters of cocotbext-axi, a model of AXI that is none of ours, and the chip's model."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat

import cocotb
import numpy as np
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from sim.sdram.chip import ChipTimes, SdramChip
from sim.testbench import generator, parameters, start

PINS = ("cke", "cs_n", "ras_n", "cas_n", "we_n", "ba", "a", "dqm")
BLOCK, SIZE = 256, 32 << 20


async def run_chip(dut, chip: SdramChip, period: int) -> None:
    """The chip on the controller's clock."""
    pins = {name: getattr(dut, f"pins__{name}") for name in PINS}
    dq, oe, dq_i = dut.pins__dq_o, dut.pins__dq_oe, dut.pins__dq_i
    now = 0
    while True:
        await RisingEdge(dut.clk)
        now += period
        chip.edge(now, dq=int(dq.value), oe=int(oe.value), **{name: int(pin.value) for name, pin in pins.items()})
        dq_i.value = chip.bus & 0xFFFF


def pause(master: AxiMaster, number: int, probability: float) -> None:
    """Let the master's channels rest at random."""
    channels = (master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel,
                master.read_if.ar_channel, master.read_if.r_channel)
    for n, channel in enumerate(channels):
        random = generator(f"pause {number} {n}")
        channel.set_pause_generator(random.random() < probability for _ in repeat(None))


async def work(master: AxiMaster, number: int, memory: np.ndarray, accesses: int) -> None:
    """Writes and reads of any bytes of a block, in blocks of this master's own, up to four at once."""
    random = generator(f"work {number}")
    for _ in range(accesses // 4):
        blocks = [(2 * block + number) * BLOCK for block in random.sample(range(24), 4)]
        tasks = []
        for block in blocks:
            start, end = sorted(random.sample(range(BLOCK + 1), 2))
            place = slice(block + start, block + end)
            if random.random() < 0.5:
                data = random.randbytes(end - start)
                tasks.append((master.init_write(place.start, data), None))
                memory[place] = np.frombuffer(data, np.uint8)
            else:
                tasks.append((master.init_read(place.start, end - start), memory[place].tobytes()))
        for event, expected in tasks:
            await event.wait()
            assert event.data.resp == AxiResp.OKAY
            assert expected is None or event.data.data == expected


async def refused(master: AxiMaster) -> None:
    """Beyond the memory, and over the end of a block."""
    for address, length in ((SIZE, 16), (1 << 39, 64), (BLOCK - 16, 32)):
        assert (await master.write(address, bytes(length))).resp == AxiResp.DECERR
        assert (await master.read(address, length)).resp == AxiResp.DECERR


@cocotb.test()
async def foreign_masters_find_what_they_wrote(dut):
    given = parameters()
    chip = SdramChip(replace(ChipTimes(), power_up=given["power_up"]))
    masters = [AxiMaster(AxiBus.from_prefix(dut, f"axi__{n}_"), dut.clk, dut.rst, max_burst_len=16) for n in range(2)]
    for number, master in enumerate(masters):
        pause(master, number, given["pause"])
    cocotb.start_soon(run_chip(dut, chip, given["period"]))
    await start(dut)
    memory = np.zeros(24 * 2 * BLOCK, np.uint8)
    await Combine(*(cocotb.start_soon(work(master, n, memory, given["accesses"])) for n, master in enumerate(masters)))
    await refused(masters[0])
    np.testing.assert_array_equal(chip.memory[:memory.size], memory)
    assert not chip.findings, chip.findings
