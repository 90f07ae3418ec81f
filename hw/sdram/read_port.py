"""Read port: the read channels of one master, and the way back of what its bursts read."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.memory.axi import Axi4Read, Response
from hw.sdram.address_intake import AddressIntake
from hw.sdram.pins import BEAT_WORDS, WORD_BITS
from hw.sdram.shapes import ANSWER, BURSTS, JOB, RING_WORDS
from hw.stream.queue import Queue

__all__ = ["ReadPort"]


class ReadPort(wiring.Component):
    """Jobs for a master's reads; back come their words, in that order, one in each cycle with `arrives`.

    Each of up to eight bursts has room for its words when it becomes a job, so that these are never held up. A beat
    is offered 11 cycles after its first word, the next 8 later. `first`: the word is the first of a beat. number: of
    the master, in its jobs.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        super().__init__({
            "axi": In(Axi4Read()),
            "jobs": Out(stream.Signature(JOB)),
            "word": In(WORD_BITS), "arrives": In(1), "first": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.intake = intake = AddressIntake()
        m.submodules.answers = answers = Queue(ANSWER, BURSTS)
        axi, job, asked = self.axi, self.jobs.payload, intake.o.payload
        leaves = Signal()
        m.d.comb += [
            intake.id.eq(axi.arid), intake.addr.eq(axi.araddr), intake.len.eq(axi.arlen), intake.size.eq(axi.arsize),
            intake.burst.eq(axi.arburst), intake.valid.eq(axi.arvalid), axi.arready.eq(intake.ready),
            self.jobs.valid.eq(intake.o.valid & ~asked.answer.refused & answers.i.ready),
            job.place.eq(asked.place), job.length.eq(asked.answer.length), job.master.eq(self._number),
            leaves.eq(intake.o.valid & answers.i.ready & (asked.answer.refused | self.jobs.ready)),
            intake.o.ready.eq(leaves), answers.i.valid.eq(leaves), answers.i.payload.eq(asked.answer),
        ]
        self._give_beats(m, answers.o)
        return m

    def _give_beats(self, m: Module, burst) -> None:
        """burst: stream of the answers, each taken with its last word."""
        axi, answer = self.axi, burst.payload
        m.submodules.ring = ring = Memory(shape=WORD_BITS, depth=RING_WORDS, init=[])
        write, read = ring.write_port(), ring.read_port()

        waiting, some = Signal(range(RING_WORDS // BEAT_WORDS + 1)), Signal()  # beats that have come; whether any
        beat, number = Signal(8), Signal(range(BEAT_WORDS))  # of a burst, and of a beat its word, that is fetched
        fetching, flows = Signal(), Signal()
        fetch, last_word, last_beat = Signal(), Signal(), Signal()
        begin, goes_on, left = Signal(), Signal(), Signal.like(waiting)
        m.d.comb += [
            fetch.eq(fetching & flows),
            last_word.eq(number == BEAT_WORDS - 1),
            last_beat.eq(beat == answer.length),
            begin.eq(~fetching & burst.valid & (some | answer.refused)),
            goes_on.eq(fetch & last_word & ~last_beat & (some | answer.refused)),
            burst.ready.eq(fetch & last_word & last_beat),
            left.eq(waiting + (self.arrives & self.first) - ((begin | goes_on) & ~answer.refused)),
            write.addr.eq(_counter(m, "tail", self.arrives)), write.data.eq(self.word), write.en.eq(self.arrives),
            read.addr.eq(_counter(m, "head", fetch & ~answer.refused)), read.en.eq(flows),
        ]
        m.d.sync += [waiting.eq(left), some.eq(left != 0), number.eq(number + fetch)]
        with m.If(begin):
            m.d.sync += fetching.eq(1)
        with m.Elif(fetch & last_word):
            m.d.sync += [fetching.eq(goes_on), beat.eq(Mux(last_beat, 0, beat + 1))]

        # the word that was fetched: seven are gathered, and with the eighth they are a beat
        here, ends = Signal(), Signal(reset_less=True)
        gathered = Signal((BEAT_WORDS - 1) * WORD_BITS, reset_less=True)
        now, final = Signal(ANSWER, reset_less=True), Signal(reset_less=True)
        m.d.comb += flows.eq(~(here & ends & axi.rvalid))
        with m.If(flows):
            m.d.sync += [here.eq(fetching), ends.eq(last_word), now.eq(answer), final.eq(last_beat)]
        with m.If(here & flows):
            m.d.sync += gathered.eq(Cat(gathered[WORD_BITS:], read.data))
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        with m.If(here & ends & ~axi.rvalid):
            m.d.sync += [axi.rvalid.eq(1), axi.rdata.eq(Cat(gathered, read.data)), axi.rid.eq(now.identity),
                         axi.rlast.eq(final), axi.rresp.eq(Mux(now.refused, Response.DECERR, Response.OKAY))]


def _counter(m: Module, name: str, advance: Value) -> Signal:
    place = Signal(range(RING_WORDS), name=name)
    with m.If(advance):
        m.d.sync += place.eq(place + 1)
    return place
