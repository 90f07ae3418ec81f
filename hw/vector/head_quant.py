"""Quantisation of queries, keys and values: each head by its own absolute maximum."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.largest import largest_lane
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, scalar_const
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.stream.queue import Queue
from hw.vector.norm_quant import quantised_word
from hw.vector.rescale import RescalePort
from hw.vector.rope import ROTATED_BITS, rotated_word
from models.machine.build import HEAD_UNIT
from models.machine.kv_format import QUERY_FORMAT, kv_format
from models.machine.scalar_format import MANTISSA_BITS

__all__ = ["HeadQuant"]

_HEADS = 4  # coming in, waiting for its multiplier, going out, and one to spare


class HeadQuant(wiring.Component):
    """Quantise head after head to the format of queries, or to that of keys and values where `cached`.

    Contract: golden `head_quant(x, scale, bits)` (docs/numerics.md §6). The words of a head come on `i` in any order,
    the last to come marked; then they leave on `o` in order, within the format's limit, and the value of one of
    their units is on `o_scale` for one cycle, before the head's last word. A head may begin to come while `room` is
    high; `started` says that it does, at least a cycle before its first word. `words` (of a head), `scale`
    (value of one unit of x, over that limit) and `cached` hold still while heads are inside. Rescaling
    and scalar operations are shared: they go through `rescale` and `scalar`.

    Widths: x signed(30); the largest |x| takes 30 bits, so that the minimum is allowed.
    Throughput: a head in words + 1 cycles, or in the 25 of its scalar operations, whichever is more. The largest of the
    next head becomes a scalar meanwhile, by shifts of its own.
    """

    def __init__(self, dim_max: int, *, kv_bits: int, lanes: int) -> None:
        if dim_max < 1 or dim_max % HEAD_UNIT:
            raise ValueError(f"dim_max must be a multiple of {HEAD_UNIT}, got {dim_max}")
        self._words, self._lanes, self._kv = dim_max // lanes, lanes, kv_format(kv_bits)
        super().__init__({
            "words": In(range(self._words + 1)),
            "scale": In(SCALAR),
            "cached": In(1),
            "room": Out(1),
            "started": In(1),
            "i": In(stream.Signature(rotated_word(self._words, lanes), always_ready=True)),
            "o": Out(stream.Signature(quantised_word(lanes), always_ready=True)),
            "o_scale": Out(stream.Signature(SCALAR, always_ready=True)),
            "rescale": Out(RescalePort(lanes)),
            "scalar": Out(ScalarPort()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        inside, freed = Signal(range(_HEADS + 1)), Signal()
        m.d.sync += [inside.eq(inside + self.started - freed), self.room.eq(inside + self.started < _HEADS)]
        m.submodules.heads = heads = Memory(
            shape=self.i.p.x.shape(), depth=_HEADS << ceil_log2(self._words), init=[], attrs={"ram_style": "block"})
        m.submodules.largest = largest = Queue(ROTATED_BITS, _HEADS)
        self._measure(m, heads, largest)
        length, there, taken = self._lengths(m, largest)
        multiplier, drain, idle = self._scales(m, length, there, taken)
        self._drain(m, heads, multiplier, drain, idle, freed)
        return m

    def _measure(self, m: Module, heads: Memory, largest: Queue) -> None:
        """Words into memory, the largest size of each head into the queue."""
        i, write, slot = self.i, heads.write_port(), Signal(range(_HEADS))
        m.d.comb += [write.addr.eq(Cat(i.p.index, slot)), write.data.eq(i.p.x), write.en.eq(i.valid)]
        with m.If(i.valid & i.p.last):
            m.d.sync += slot.eq(slot + 1)

        level = [Signal(ROTATED_BITS, reset_less=True, name=f"size_{n}") for n in range(self._lanes)]
        m.d.sync += [size.eq(abs(i.p.x[n])) for n, size in enumerate(level)]
        size, valid, last = largest_lane(m, level, i.valid, i.p.last)
        most, ended = Signal(ROTATED_BITS), Signal()
        m.d.comb += [largest.i.payload.eq(most), largest.i.valid.eq(ended)]
        m.d.sync += ended.eq(valid & last)
        with m.If(ended):
            m.d.sync += most.eq(0)
        with m.If(valid & (ended | (size > most))):
            m.d.sync += most.eq(size)

    def _lengths(self, m: Module, largest: Queue) -> tuple[Value, Value, Value]:
        """golden `from_int` of each head's largest: leading zeros are shifted out, four a cycle or one.

        Returns the scalar, whether it is there, and the signal that takes it.
        """
        value, exponent = Signal(ROTATED_BITS, reset_less=True), Signal(range(ROTATED_BITS), reset_less=True)
        there, taken = Signal(), Signal()
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += largest.o.ready.eq(1)
                m.d.sync += [value.eq(largest.o.payload), exponent.eq(ROTATED_BITS - 1)]
                with m.If(largest.o.valid):
                    m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(value[-1] | (value == 0)):
                    m.next = "THERE"
                with m.Elif(value[-4:] == 0):
                    m.d.sync += [value.eq(value << 4), exponent.eq(exponent - 4)]
                with m.Else():
                    m.d.sync += [value.eq(value << 1), exponent.eq(exponent - 1)]
            with m.State("THERE"):
                m.d.comb += there.eq(1)
                with m.If(taken):
                    m.next = "WAIT"
        length = data.View(SCALAR, Cat(value[-MANTISSA_BITS:], exponent, Const(0, 10 - len(exponent))))
        return length, there, taken

    def _scales(self, m: Module, next_length: Value, there: Value, taken: Value) -> tuple[Value, Value, Value]:
        """Multiplier and scale of each head, in turn; `drain` hands the multiplier to the head's way out."""
        length, multiplier, step = (Signal(SCALAR, reset_less=True) for _ in range(3))
        drain, idle = Signal(), Signal(init=1)
        scalars = ScalarSteps(m, self.scalar)
        m.d.comb += self.o_scale.p.eq(step)

        levels = Mux(self.cached, *(Value.cast(scalar_const(each.limit)) for each in (self._kv, QUERY_FORMAT)))
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += taken.eq(1)
                m.d.sync += length.eq(next_length)
                with m.If(there):
                    m.next = "STEP"
            scalars.state("STEP", step, ScalarOp.MUL, a=length, b=self.scale, then="MULTIPLIER")
            scalars.state("MULTIPLIER", multiplier, ScalarOp.DIV, a=levels, b=length, then="LEAVE")
            with m.State("LEAVE"):
                m.d.comb += [drain.eq(idle), self.o_scale.valid.eq(drain)]
                with m.If(drain):
                    m.next = "WAIT"
        return multiplier, drain, idle

    def _drain(self, m: Module, heads: Memory, multiplier, drain, idle, freed) -> None:
        """A head out of memory, through the rescaling."""
        read, slot, index = heads.read_port(), Signal(range(_HEADS)), Signal(range(self._words))
        current, final = Signal(SCALAR, reset_less=True), Signal(range(self._words), reset_less=True)
        ends = index == final
        m.d.sync += final.eq(self.words - 1)
        m.d.comb += [read.addr.eq(Cat(index, slot)), freed.eq(~idle & ends)]
        with m.If(drain):
            m.d.sync += [idle.eq(0), index.eq(0), current.eq(multiplier)]
        with m.If(~idle):
            m.d.sync += [index.eq(index + 1), idle.eq(ends), slot.eq(slot + ends)]

        fetched, fetched_last, word = Signal(), Signal(), Signal(self.i.p.x.shape(), reset_less=True)
        there, there_last, factor = Signal(), Signal(), Signal(SCALAR, reset_less=True)
        m.d.sync += [fetched.eq(~idle), fetched_last.eq(ends), word.eq(read.data), there.eq(fetched),
                     there_last.eq(fetched_last)]
        m.d.sync += factor.eq(current)
        words, results, formats = self.rescale.words, self.rescale.results, (self._kv, QUERY_FORMAT)
        m.d.comb += [
            words.valid.eq(there), words.p.last.eq(there_last), words.p.a.eq(factor),
            *(words.p.x[n].eq(word[n]) for n in range(self._lanes)),
        ]
        m.d.sync += [
            self.o.valid.eq(results.valid), self.o.p.last.eq(results.p.last),
            *(self.o.p.values[n].eq(Mux(self.cached, *(saturate(results.p.y[n], each.bits) for each in formats)))
              for n in range(self._lanes)),
        ]
