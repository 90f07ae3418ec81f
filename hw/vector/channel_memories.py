"""The memories with a word for a few channels each: residual stream, norm gains, tap parameters."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.memory.ram_style import ram_attributes
from hw.memory.shapes import LOAD_CHANNELS, LOAD_WORD
from hw.vector.tap import NO_CLIP, TAP
from models.machine.build import CHANNEL_UNIT
from models.machine.descriptor import LoadTarget

__all__ = ["READ_LATENCY", "ChannelMemories", "channel_read", "gain_word", "residual_word", "residual_write",
           "tap_word"]

READ_LATENCY = 2  # the memory and its output register


def residual_word(lanes: int) -> data.ArrayLayout:
    """Channels of the residual stream."""
    return data.ArrayLayout(signed(32), lanes)


def gain_word(lanes: int) -> data.ArrayLayout:
    """Gains of a norm."""
    return data.ArrayLayout(signed(16), lanes)


def tap_word(lanes: int) -> data.ArrayLayout:
    """Parameters of a tap."""
    return data.ArrayLayout(TAP, lanes)


def residual_write(lanes: int) -> data.StructLayout:
    """A word of the residual stream, by its number."""
    return data.StructLayout({"index": unsigned(16), "h": residual_word(lanes)})


def channel_read(word) -> wiring.Signature:
    """A user's side of a memory: the number of a word goes out, the word is there READ_LATENCY cycles later."""
    return wiring.Signature({"index": Out(16), "word": In(word)})


class ChannelMemories(wiring.Component):
    """Residual values, gains and taps, a word of `lanes` channels a cycle each.

    `residual`, `gain` and `tap` read at any time. The residual stream holds its rows one after another,
    `residual_words` in all; gains and taps of `channels` channels serve all rows. `i_load` writes words of at
    most `lanes` channels of targets RESIDUAL, GAIN, TAP and AFFINE (taps without clip and threshold), whose index
    counts channels, and takes those of other targets without effect; `i_residual` writes a word of the residual stream
    by its number, before `i_load`. A read sees writes of three cycles earlier and more. Reads beyond a memory are
    undefined. While `gain_hold`, both registers behind the gains stand still.
    """

    def __init__(self, residual_words: int, channels: int, lanes: int) -> None:
        if residual_words < 1 or channels < 1:
            raise ValueError(f"sizes must be positive, got {residual_words} and {channels}")
        words = -(-channels // CHANNEL_UNIT) * CHANNEL_UNIT // lanes  # what is loaded comes in such units
        self._lanes, self._depths = lanes, {"residual": residual_words, "gain": words, "tap": words}
        super().__init__({
            "i_load": In(stream.Signature(LOAD_WORD)),
            "i_residual": In(stream.Signature(residual_write(lanes), always_ready=True)),
            "residual": In(channel_read(residual_word(lanes))),
            "gain": In(channel_read(gain_word(lanes))),
            "gain_hold": In(1),
            "tap": In(channel_read(tap_word(lanes))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        lanes, lane_bits = self._lanes, exact_log2(self._lanes)
        load, written = Signal(LOAD_WORD, reset_less=True), self.i_residual
        ports = {LoadTarget.RESIDUAL: self.residual, LoadTarget.GAIN: self.gain, LoadTarget.TAP: self.tap}
        loading = {target: Signal(name=f"loading_{target.name.lower()}") for target in (*ports, LoadTarget.AFFINE)}
        m.d.comb += self.i_load.ready.eq(~(written.valid & loading[LoadTarget.RESIDUAL]))
        with m.If(self.i_load.ready):
            m.d.sync += load.eq(self.i_load.p)
            m.d.sync += [bit.eq(self.i_load.valid & (self.i_load.p.target == target))
                         for target, bit in loading.items()]

        for target, read in ports.items():
            name, shape = target.name.lower(), read.word.shape()
            depth, width = self._depths[name], Shape.cast(shape).width
            attributes = ram_attributes(depth, platform) or {"ram_style": "block"}
            m.submodules[name] = storage = Memory(shape=unsigned(width), depth=depth, init=[], attrs=attributes)
            loaded = min(lanes, LOAD_CHANNELS[target])
            parts = lanes // loaded  # of a word, a load each
            write, port = storage.write_port(granularity=width // parts), storage.read_port()
            part = load.index[exact_log2(loaded):lane_bits]
            m.d.comb += [
                write.addr.eq(load.index[lane_bits:]),
                write.data.eq(load.data[:width // parts].replicate(parts)),
                write.en.eq(Mux(loading[target], 1 << part, 0)),
                port.addr.eq(read.index),
            ]
            if target == LoadTarget.TAP:
                with m.If(loading[LoadTarget.AFFINE]):
                    m.d.comb += [write.data.eq(_affine_taps(load.data, lanes)), write.en.eq(~0)]
            if target == LoadTarget.RESIDUAL:
                with m.If(written.valid):
                    m.d.comb += [write.addr.eq(written.p.index), write.data.eq(Value.cast(written.p.h)), write.en.eq(1)]
            word = Signal(shape, reset_less=True, name=f"{name}_word")
            moves = ~self.gain_hold if target == LoadTarget.GAIN else Const(1)
            m.d.comb += port.en.eq(moves)
            with m.If(moves):
                m.d.sync += Value.cast(word).eq(port.data)
            m.d.comb += Value.cast(read.word).eq(word)
        return m


def _affine_taps(pairs: Value, lanes: int) -> Value:
    """A word of taps from as many pairs of gain and add."""
    clip, threshold = Const(NO_CLIP, 16), Const(0, 16)
    return Cat(Cat(pairs.word_select(lane, 32), clip, threshold) for lane in range(lanes))
