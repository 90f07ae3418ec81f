"""Table fill: the banks that come of its control are the tiles in turn, complete when told, untouched while in use."""

from __future__ import annotations

from itertools import product

import cocotb
from cocotb.triggers import RisingEdge

from hw.linear.lookup_table import FILL_CONTROL
from sim.packing import Packing
from sim.testbench import generator, parameters, start
from tests.hw.linear.table_filling import trits_index

SAFE = 3  # cycles after a release in which a bank keeps its entries
ENTRIES = {trits_index(trits): trits for trits in product((-1, 0, 1), repeat=3)}


class Tables:
    """What the tables hold: of each bank, by index, whose activations are in the sum and how often each."""

    def __init__(self, dut, words: int) -> None:
        self.dut, self.words, self.fill = dut, words, Packing.of(FILL_CONTROL)
        self.asked = None  # (batch, address) that the activation memory was asked for
        self.loaded = [None] * words
        self.total, self.of = (0, 0, 0), None
        self.banks: list[dict[int, tuple]] = [{}, {}]

    def take(self) -> None:
        """One cycle of what `fill` and `load` say."""
        dut = self.dut
        fill, load = self.fill.unpack(int(dut.fill.value)), int(dut.load.value)
        if fill["write"]:
            self.banks[fill["bank"]][fill["index"]] = (self.of, self.total)
        if fill["clear"]:
            self.total = (0, 0, 0)
        elif fill["add"]:
            self.of = tuple(self.loaded)
            change = -1 if fill["negative"] else 1
            self.total = tuple(value + change * (n == fill["digit"]) for n, value in enumerate(self.total))
        assert load & (load - 1) == 0, f"load is {load:#x}"
        if load:
            self.loaded[load.bit_length() - 1] = self.asked
        self.asked = int(dut.batch.value), int(dut.address.value)


@cocotb.test()
@cocotb.parametrize(slow=[0, 20, 60])
async def tiles_in_turn(dut, slow):
    """Commands one after another, each bank kept for up to `slow` cycles."""
    given, random = parameters(), generator(f"slow {slow}")
    words = given["words"]
    tables = Tables(dut, words)
    dut.start.value = dut.release.value = 0
    await start(dut)
    for tiles, batches, first_batch in given["commands"]:
        dut.tiles.value, dut.batches.value, dut.first_batch.value = tiles, batches, first_batch
        dut.start.value = 1
        await RisingEdge(dut.clk)
        tables.take()
        dut.start.value = 0
        waited = 0
        for tile, batch in product(range(tiles), range(first_batch, first_batch + batches)):
            while not dut.ready.value:
                await RisingEdge(dut.clk)
                tables.take()
                waited += 1
                assert waited <= words + 34, f"no bank for tile {tile} of batch {batch}"
            bank, hold = int(dut.bank.value), random.randint(0, slow)
            source = tuple((batch, tile * words + word) for word in range(words))
            expected = {index: (source, trits) for index, trits in ENTRIES.items()}
            for cycle in range(hold + 1 + SAFE):
                assert tables.banks[bank] == expected, f"tile {tile} of batch {batch}, cycle {cycle} of its use"
                if cycle <= hold:
                    assert dut.ready.value and int(dut.bank.value) == bank
                dut.release.value = cycle == hold
                await RisingEdge(dut.clk)
                tables.take()
            waited = -slow
            dut.release.value = 0
        for _ in range(words + 40):
            assert not dut.ready.value, "a bank more than there are tiles"
            await RisingEdge(dut.clk)
            tables.take()
