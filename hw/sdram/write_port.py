"""Write port: the write channels of one master, whose bursts become jobs with their data at hand."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Write, Response
from hw.sdram.address_intake import AddressIntake
from hw.sdram.pins import BEAT_WORDS, WORD_BITS
from hw.sdram.shapes import ANSWER, BURSTS, JOB, RING_WORDS
from hw.stream.queue import Queue

__all__ = ["WritePort"]

_STROBES = WORD_BITS // 8


class WritePort(wiring.Component):
    """Jobs for a master's writes, each once all its data have come; a beat takes 8 cycles.

    `take` asks for the next word of the jobs, in their order: the cycle after it is in `word`, with its `strobes`.
    `written` says of a job that its words have gone, and its answer follows. number: of the master, in its jobs.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        super().__init__({
            "axi": In(Axi4Write()),
            "jobs": Out(stream.Signature(JOB)),
            "take": In(1), "word": Out(WORD_BITS), "strobes": Out(_STROBES), "written": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.intake = intake = AddressIntake()
        m.submodules.answers = answers = Queue(ANSWER, BURSTS)
        axi, job, asked = self.axi, self.jobs.payload, intake.o.payload
        complete, leaves = Signal(), Signal()  # the burst's data have come; it becomes a job
        # data under way: of a burst that comes, a job here, at the opener and at the columns, and the one that goes;
        # the ring has room for three more
        m.d.comb += [
            intake.id.eq(axi.awid), intake.addr.eq(axi.awaddr), intake.len.eq(axi.awlen), intake.size.eq(axi.awsize),
            intake.burst.eq(axi.awburst), intake.valid.eq(axi.awvalid), axi.awready.eq(intake.ready),
            leaves.eq(complete & answers.i.ready & (asked.answer.refused | ~self.jobs.valid)),
            intake.o.ready.eq(leaves), answers.i.valid.eq(leaves), answers.i.payload.eq(asked.answer),
        ]
        with m.If(self.jobs.ready):
            m.d.sync += self.jobs.valid.eq(0)
        with m.If(leaves & ~asked.answer.refused):
            m.d.sync += [self.jobs.valid.eq(1), job.place.eq(asked.place), job.length.eq(asked.answer.length)]
        m.d.sync += [job.write.eq(1), job.master.eq(self._number)]
        self._collect(m, asked.answer, intake.o.valid, complete, leaves)
        self._answer(m, answers.o)
        return m

    def _collect(self, m: Module, answer, asked: Signal, complete: Signal, leaves: Signal) -> None:
        """Take the beats of the burst that is asked for, word by word, into the ring."""
        axi = self.axi
        m.submodules.ring = ring = Memory(shape=WORD_BITS + _STROBES, depth=RING_WORDS, init=[])
        write, read = ring.write_port(), ring.read_port()
        tail, head = Signal(range(RING_WORDS)), Signal(range(RING_WORDS))
        number, beat = Signal(range(BEAT_WORDS)), Signal(8)
        open_, ready = Signal(), Signal()  # beats are awaited; the word that is taken is a beat's last
        word, put = Signal(WORD_BITS + _STROBES, reset_less=True), Signal()
        m.d.comb += [
            open_.eq(asked & ~complete), axi.wready.eq(open_ & (number == BEAT_WORDS - 1)), ready.eq(axi.wready),
            write.addr.eq(tail), write.data.eq(word), write.en.eq(put),
            read.addr.eq(head), read.en.eq(1), Cat(self.word, self.strobes).eq(read.data),
        ]
        m.d.sync += [
            put.eq(open_ & axi.wvalid & ~answer.refused),
            word.eq(Cat(axi.wdata.word_select(number, WORD_BITS), axi.wstrb.word_select(number, _STROBES))),
            tail.eq(tail + put), head.eq(head + self.take),
        ]
        with m.If(open_ & axi.wvalid):
            m.d.sync += number.eq(number + 1)
            with m.If(ready):
                m.d.sync += [beat.eq(beat + 1), complete.eq(beat == answer.length)]
        with m.If(leaves):
            m.d.sync += [complete.eq(0), beat.eq(0)]

    def _answer(self, m: Module, burst) -> None:
        axi, answer = self.axi, burst.payload
        done, some = Signal(range(BURSTS + 1)), Signal()  # jobs that are written and not answered; whether any
        left = Signal.like(done)
        m.d.comb += [
            burst.ready.eq(~axi.bvalid & (some | answer.refused)),
            left.eq(done + self.written - (burst.valid & burst.ready & ~answer.refused)),
        ]
        m.d.sync += [done.eq(left), some.eq(left != 0)]
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(burst.valid & burst.ready):
            m.d.sync += [axi.bvalid.eq(1), axi.bid.eq(answer.identity),
                         axi.bresp.eq(Mux(answer.refused, Response.DECERR, Response.OKAY))]
