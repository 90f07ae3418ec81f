"""Sequencer: fetches the descriptors of a program and hands each to its engine's queue."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS, HEADER_LAYOUT
from hw.control.descriptor_check import faults_of
from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.shapes import READ_REQUEST
from models.machine.build import BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, Engine

__all__ = ["Sequencer"]

_BEATS = DESCRIPTOR_BYTES * 8 // DATA_BITS


class Sequencer(wiring.Component):
    """Walk `count` descriptors from `program` on, in order.

    `start` pulses with both inputs valid in the same cycle. One request asks for all descriptors; the
    reader behind `read` and `beats` prefetches as many as it has room for. Each one is checked and pushed to
    the queue of its engine (index `Engine`), in the build's `command_beats` transfers, the lowest bits first; a full
    queue holds up those behind it. One descriptor in seven cycles at most; where it goes in several transfers, in six
    and two for each of them.

    `fetched` pulses for each one that has come, before it is checked. `done` rises when the last one is pushed and
    falls with `start`. `bad` pulses for a malformed descriptor (`hw.control.descriptor_check`), for a program that is
    not 64-byte aligned or one of 2**26 descriptors or more; nothing more is pushed then, until a reset.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        super().__init__({
            "start": In(1),
            "program": In(ADDRESS_BITS),
            "count": In(32),
            "fetched": Out(1),
            "done": Out(1, init=1),
            "bad": Out(1),
            "read": Out(stream.Signature(READ_REQUEST)),
            "beats": In(stream.Signature(DATA_BITS)),
            "queues": Out(stream.Signature(COMMAND_BITS // build.command_beats)).array(len(Engine)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        offset_bits = (DESCRIPTOR_BYTES - 1).bit_length()
        count_bits = self.read.payload.bytes.shape().width - offset_bits

        program = Signal(ADDRESS_BITS, reset_less=True)
        remaining = Signal(32)
        # the words take what is there until their beat has come, so that registers enable them
        words = [Signal(DATA_BITS, name=f"word_{n}", reset_less=True) for n in range(_BEATS)]
        descriptor, awaited = Cat(words), Signal(_BEATS)
        pushed = self.queues[0].payload
        header = data.View(HEADER_LAYOUT, descriptor)
        faults = Signal(len(faults_of(descriptor, self._build)))
        chosen = Signal(len(Engine))
        offered = Signal(len(Engine))  # the queue that has the descriptor on offer
        transfers = self._build.command_beats
        to_push = Signal(transfers, init=1)  # a bit for the transfer on offer
        last = to_push[-1] if transfers > 1 else Const(1)
        shown, taken, gone = Signal.like(offered), Signal(), Signal()  # gone: taken, with several transfers a cycle ago
        m.d.comb += [shown.eq(offered if transfers == 1 else Mux(gone, 0, offered)),
                     taken.eq((shown & Cat(queue.ready for queue in self.queues)).any())]
        heard = m.d.comb if transfers == 1 else m.d.sync  # a queue is far away, and all of a descriptor moves on
        heard += gone.eq(taken)

        m.d.comb += [
            self.read.payload.address.eq(program),
            self.read.payload.bytes.eq(remaining << offset_bits),
        ]
        for engine, queue in zip(Engine, self.queues, strict=True):
            m.d.comb += [queue.payload.eq(descriptor[:len(queue.payload)]), queue.valid.eq(shown[engine])]
            m.d.sync += chosen[engine].eq(header.engine == engine)

        for n, word in enumerate(words):
            with m.If(awaited[n]):
                m.d.sync += word.eq(self.beats.payload)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [program.eq(self.program), remaining.eq(self.count)]
                with m.If(self.start):
                    m.d.sync += self.done.eq(0)
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                with m.If(program[:offset_bits].any() | remaining[count_bits:].any()):
                    m.next = "BAD"
                with m.Elif(remaining == 0):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.d.comb += self.read.valid.eq(1)
                    with m.If(self.read.ready):
                        m.d.sync += awaited.eq(1)
                        m.next = "COLLECT"
            with m.State("COLLECT"):
                m.d.comb += self.beats.ready.eq(1)
                with m.If(self.beats.valid):
                    m.d.sync += awaited.eq(awaited << 1)
                    with m.If(awaited[-1]):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += self.fetched.eq(1)
                m.d.sync += faults.eq(faults_of(descriptor, self._build))
                m.next = "OFFER"
            with m.State("OFFER"):
                m.next = "PUSH"
                with m.If(faults.any()):
                    m.next = "BAD"
                with m.Else():
                    m.d.sync += offered.eq(chosen)
            with m.State("PUSH"):
                with m.If(gone):
                    if transfers > 1:
                        m.d.sync += [descriptor[:-len(pushed)].eq(descriptor[len(pushed):]),
                                     to_push.eq(to_push.rotate_left(1))]
                    with m.If(last):
                        m.d.sync += [offered.eq(0), remaining.eq(remaining - 1)]
                        with m.If(remaining == 1):
                            m.d.sync += self.done.eq(1)
                            m.next = "IDLE"
                        with m.Else():
                            m.d.sync += awaited.eq(1)
                            m.next = "COLLECT"
            with m.State("BAD"):
                m.d.comb += self.bad.eq(1)
                m.next = "STOPPED"
            with m.State("STOPPED"):
                pass
        return m
