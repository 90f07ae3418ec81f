"""Dot products of a job's queries with each key, while the keys stream by."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.multiply_add import MULTIPLY_ADD_LATENCY, multiply_add
from models.machine.build import QUERY_WORD
from models.machine.kv_format import kv_format

__all__ = ["QueryKeyDot", "key_beat", "query_word"]

_BANKS = 2


def key_beat(chunk_bits: int, parts: int, chunks: int) -> data.StructLayout:
    """A beat of keys: chunks one after another, lowest first, and for each its number in its key.

    `first`, `last`: the chunk is its key's first, its last. A key has at least `parts` chunks, so that at most one
    ends in a beat.
    """
    part = data.StructLayout({"chunk": range(chunks), "first": 1, "last": 1})
    return data.StructLayout({"data": data.ArrayLayout(chunk_bits, parts), "parts": data.ArrayLayout(part, parts),
                              "bank": 1})


def query_word(pairs: int, words: int, elements: int = QUERY_WORD) -> data.StructLayout:
    """So many elements of the queries of all pairs, number `index` of their heads."""
    return data.StructLayout({"bank": 1, "index": range(words),
                              "values": data.ArrayLayout(data.ArrayLayout(signed(16), elements), pairs)})


class QueryKeyDot(wiring.Component):
    """dots[pair] = sum over a key's elements of key * query, exact, for all pairs at a time, a beat a cycle.

    A beat (`key_beat`, with `valid`) holds `parts` chunks of `chunk_bits`, elements of kv_bits LSB first. With each
    key's last chunk `dots` are complete, `latency` cycles later. Elements of a key past the head's size count unless
    they are zero. No backpressure. Golden: `k @ q[h]` of `attention`.

    Queries lie in two banks; `write` {bank, index, values} with `write_valid` sets the index-th `word` elements of
    all pairs. A beat uses its bank up to `latency` cycles after it came.

    The lanes of a chunk are a chain of DSP blocks, each lane a cycle after the one before, so that no adder is
    left for the fabric: a key's lanes are delayed in shift registers, a query's by the delay of their address.

    Widths: kv_bits x 16 bit products, sums signed(kv_bits + 16 + log2 dim_max).
    """

    def __init__(self, *, pairs: int, kv_bits: int, chunk_bits: int, parts: int, dim_max: int,
                 word: int = QUERY_WORD) -> None:
        kv_format(kv_bits)
        if parts not in (1, 2):
            raise ValueError(f"a beat has 1 or 2 chunks, got {parts}")
        self.pairs, self.kv_bits, self.parts = pairs, kv_bits, parts
        self.lanes = chunk_bits // kv_bits
        if self.lanes % word:
            raise ValueError(f"a chunk must hold whole words of {word} queries, not {self.lanes} elements")
        self.word = word
        self.chunks = max(parts, -(-dim_max // self.lanes))
        self.dot_bits = kv_bits + 16 + ceil_log2(dim_max)
        self.latency = self.lanes + MULTIPLY_ADD_LATENCY + 2
        super().__init__({
            "valid": In(1),
            "i": In(key_beat(chunk_bits, parts, self.chunks)),
            "write_valid": In(1),
            "write": In(query_word(pairs, self.chunks * self.lanes // word, word)),
            "dots": Out(data.ArrayLayout(signed(self.dot_bits), pairs)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        chains = [self._chain(m, platform, part) for part in range(self.parts)]  # [part][pair]

        # first and last chunks, with the chains' results
        flags = data.StructLayout({"valid": 1, "first": self.parts, "last": self.parts})
        stage = Signal(flags)
        m.d.comb += [stage.valid.eq(self.valid), stage.first.eq(Cat(part.first for part in self.i.parts)),
                     stage.last.eq(Cat(part.last for part in self.i.parts))]
        for n in range(self.latency - 1):
            before, stage = stage, Signal(flags, name=f"flags_{n}", reset_less=True)
            m.d.sync += stage.eq(before)

        # Where the first chunk ends its key, the second begins the next one; else both belong to one key.
        split = stage.last[0] if self.parts == 2 else None
        for pair in range(self.pairs):
            left, both = Signal(signed(self.dot_bits), reset_less=True), Signal(signed(self.dot_bits), reset_less=True)
            m.d.sync += [left.eq(chains[0][pair]), both.eq(sum((chain[pair] for chain in chains[1:]), chains[0][pair]))]
            right = Signal.like(left)
            if self.parts == 2:
                m.d.sync += right.eq(chains[1][pair])
            partial, total = Signal.like(left), Signal.like(left)
            added = both if split is None else Mux(split, left, both)
            m.d.comb += total.eq(Mux(stage.first[0], 0, partial) + added)
            with m.If(stage.valid):
                m.d.sync += partial.eq(total if split is None else Mux(split, right, total))
            m.d.sync += self.dots[pair].eq(total)
        return m

    def _chain(self, m: Module, platform, part: int) -> list[Signal]:
        """Sums of a chunk's products, for each pair."""
        chunk_bits = ceil_log2(self.chunks)
        write = self.write
        words = self.lanes // self.word
        word_bits = ceil_log2(words)
        keys, address = Signal(self.lanes * self.kv_bits, reset_less=True), Signal(1 + chunk_bits, reset_less=True)
        m.d.sync += [keys.eq(self.i.data[part]), address.eq(Cat(self.i.parts[part].chunk[:chunk_bits], self.i.bank))]
        totals = [None] * self.pairs
        for lane in range(self.lanes):
            queries = Memory(shape=data.ArrayLayout(signed(16), self.pairs), depth=_BANKS << chunk_bits, init=[],
                             attrs={"ram_style": "distributed"})
            m.submodules[f"queries_{part}_{lane}"] = queries
            store, read = queries.write_port(), queries.read_port(domain="comb")
            word, element = divmod(lane, self.word)
            m.d.comb += [
                store.addr.eq(Cat(write.index[word_bits:word_bits + chunk_bits], write.bank)),
                store.en.eq(self.write_valid & (write.index[:word_bits] == word)),
                *(store.data[pair].eq(write.values[pair][element]) for pair in range(self.pairs)),
                read.addr.eq(address),
            ]
            key = keys[:self.kv_bits].as_signed()
            totals = [multiply_add(m, platform, read.data[pair], key, totals[pair], chain=pair)
                      for pair in range(self.pairs)]
            if lane < self.lanes - 1:
                keys_before, address_before = keys, address
                keys = Signal(len(keys) - self.kv_bits, name=f"keys_{part}_{lane}", reset_less=True)
                address = Signal.like(address, name=f"address_{part}_{lane}", reset_less=True)
                m.d.sync += [keys.eq(keys_before >> self.kv_bits), address.eq(address_before)]
        width = self.kv_bits + 16 + ceil_log2(self.lanes)
        return [total.value[:width].as_signed() for total in totals]
