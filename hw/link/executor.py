"""Executor: does what requests ask for, one after another, and says what came of it."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.crc32 import Crc32
from hw.link.framer import BODY
from hw.link.request_check import CHECK_CYCLES
from hw.link.request_head import STEP_BITS
from models.machine.link import (
    ANSWERED,
    BEAT,
    BUS_MILLISECONDS,
    LINK_VERSION,
    MOST_DATA,
    MOST_FRAME,
    REPLY,
    REQUEST,
    RESULT,
    WORD,
    LinkStatus,
    Operation,
)
from models.machine.registers import register

__all__ = ["RESET_CYCLES", "Executor"]

RESET_CYCLES = 64  # that the core is held in reset, and that it then has to itself


class Executor(wiring.Component):
    """The requests of `RequestBuffers`, each judged by `RequestCheck` and `Session`, executed and answered to `o`.

    A request's head is shifted into `RequestHead`. The answer's head goes out, then the request is executed: units of 4
    or 16 bytes go from the buffer through `beat` to a bus, or from a bus through `beat` to the answer. All else that is
    answered goes that way, too. The result ends the answer and frees the buffer.

    An access that is not done in 16 ms is given up: BUS_ERROR. Its bus is left to it: others there wait as long for its
    end.

    clock_mhz, memory_bytes: for the answer to HELLO. The other ports are those of the units around.
    """

    def __init__(self, clock_mhz: float, memory_bytes: int) -> None:
        self._clock_khz, self._memory_bytes = round(1000 * clock_mhz), memory_bytes
        super().__init__({
            # RequestBuffers
            "ready": In(1), "another": In(1), "byte": In(8), "place": Out(range(MOST_FRAME)), "done": Out(1),
            "damaged": In(16), "dropped": In(16),
            # RequestHead
            "shift": Out(1), "advance": Out(1), "step": Out(STEP_BITS),
            "sequence": In(8), "operation": In(8), "address": In(12), "over": In(1),
            # RequestCheck
            "form": In(LinkStatus), "reads": In(1), "registers": In(1), "memory": In(1),
            # Session
            "greet": Out(1), "execute": Out(1), "change": Out(1),
            "session": In(16), "expected": In(8), "order": In(LinkStatus), "repeat": In(1),
            # RegisterAccess and MemoryAccess
            "start_register": Out(1), "start_memory": Out(1), "write": Out(1), "register_address": Out(12),
            "beat": Out(8 * BEAT),
            "register_busy": In(1), "register_done": In(1), "register_error": In(1), "register_result": In(32),
            "memory_busy": In(1), "memory_done": In(1), "memory_error": In(1), "memory_result": In(8 * BEAT),
            "memory_ready": In(1),
            "o": Out(stream.Signature(BODY)),
            "millisecond": In(1), "irq": In(1), "reset_core": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        is_hello, is_check, is_reset, is_wait, is_fill = (
            Signal(name=f"is_{code.name.lower()}") for code in (
                Operation.HELLO, Operation.CHECK_MEMORY, Operation.RESET, Operation.WAIT, Operation.FILL_MEMORY))
        m.d.sync += [
            is_hello.eq(self.operation == Operation.HELLO), is_check.eq(self.operation == Operation.CHECK_MEMORY),
            is_reset.eq(self.operation == Operation.RESET), is_wait.eq(self.operation == Operation.WAIT),
            is_fill.eq(self.operation == Operation.FILL_MEMORY),
        ]
        status, fresh = Signal(LinkStatus), Signal()  # fresh: not executed before
        does = Signal()  # something, besides answering
        at_result = Signal()
        beat, left = self.beat, Signal(range(2 * RESET_CYCLES + 1))  # left: bytes or cycles
        waited = Signal(range(BUS_MILLISECONDS + 2))
        fetch, fetched = Signal(), Signal()  # a byte of the frame, a cycle ago
        in_unit = Signal(range(BEAT + 1))
        m.d.comb += [
            in_unit.eq(Mux(self.memory, BEAT, WORD)),
            self.write.eq(~self.reads),
            self.register_address.eq(Mux(is_wait, register("STATUS").offset, self.address)),
            self.step.eq(Cat(is_wait, Const(0, 1), self.registers, Const(0, 1), self.memory)),
            crc.byte.eq(beat[:8]),
            self.o.payload.byte.eq(beat[:8]),
            self.o.payload.last.eq(at_result & (left == 1)),
        ]
        m.d.sync += [fetched.eq(fetch), self.place.eq(self.place + fetch)]

        def load(value: Value, count: int | Value) -> None:
            """Bytes to be sent or summed."""
            m.d.sync += [beat[:len(value)].eq(value), left.eq(count)]

        def send_rest(then: str) -> None:
            """What was loaded, then go on to a state."""
            m.d.comb += self.o.valid.eq(left != 0)
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += [left.eq(left - 1), beat.eq(beat >> 8)]
            with m.If(left == 0):
                m.next = then

        def fail() -> None:
            m.d.sync += status.eq(LinkStatus.BUS_ERROR)
            m.next = "END"

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [self.place.eq(0), left.eq(REQUEST.size), at_result.eq(0)]
                with m.If(self.ready):
                    m.next = "HEAD"
            with m.State("HEAD"):
                m.d.comb += [fetch.eq(left != 0), self.shift.eq(fetched)]
                with m.If(fetch):
                    m.d.sync += left.eq(left - 1)
                with m.Elif(~fetched):
                    m.d.sync += left.eq(CHECK_CYCLES + 1)
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.sync += [status.eq(Mux((self.form != LinkStatus.OK) | is_hello, self.form, self.order)),
                             fresh.eq(~self.repeat | is_hello)]
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.greet.eq(is_hello & (status == LinkStatus.OK))
                m.d.sync += does.eq((status == LinkStatus.OK) & (fresh | self.reads))
                m.next = "GREETED"
            with m.State("GREETED"):
                m.d.comb += self.change.eq(does & ~self.reads & ~is_hello)
                load(Cat(self.sequence, self.operation | ANSWERED, self.session), REPLY.size)
                m.next = "SEND HEAD"
            with m.State("SEND HEAD"):
                send_rest("BEGIN")
            with m.State("BEGIN"):
                m.d.comb += crc.clear.eq(1)
                with m.If(~does):
                    m.next = "END"
                with m.Elif(is_hello):
                    load(Cat(Const(LINK_VERSION, 16), Const(MOST_DATA, 16), Const(self._memory_bytes, 32),
                             Const(self._clock_khz, 32), self.damaged, self.dropped), BEAT)
                    m.next = "SEND LAST"
                with m.Elif(is_reset):
                    m.d.sync += [left.eq(2 * RESET_CYCLES - 1), self.reset_core.eq(1)]
                    m.next = "RESET"
                with m.Elif(is_wait):
                    m.next = "WAIT"
                with m.Elif(self.reads):
                    m.next = "ACCESS"
                with m.Else():
                    m.next = "GATHER UNIT"
                m.d.sync += waited.eq(0)

            with m.State("RESET"):
                m.d.sync += [left.eq(left - 1), self.reset_core.eq(left > RESET_CYCLES)]
                with m.If(left == 0):
                    m.next = "END"
            with m.State("WAIT"):
                m.d.comb += self.advance.eq(self.millisecond & ~self.over)
                with m.If(self.irq | self.another | self.over):
                    m.next = "ACCESS"

            # a unit from the frame to a bus
            with m.State("GATHER UNIT"):
                m.d.sync += left.eq(in_unit)
                m.next = "GATHER"
            with m.State("GATHER"):
                m.d.comb += fetch.eq(left != 0)
                with m.If(fetch):
                    m.d.sync += left.eq(left - 1)
                with m.If(fetched):
                    m.d.sync += beat.eq(Cat(beat[8:], self.byte))
                with m.If(~fetch & ~fetched):
                    m.next = "ACCESS"

            # an access of a bus: begun where no other is under way, and done in time
            with m.State("ACCESS"):
                m.d.comb += [
                    self.start_memory.eq(self.memory & ~self.memory_busy & self.memory_ready),
                    self.start_register.eq(~self.memory & ~self.register_busy),
                ]
                with m.If(self.start_memory | self.start_register):
                    m.next = "UNDER WAY"
                with m.Elif(waited == BUS_MILLISECONDS + 1):
                    fail()
                m.d.sync += waited.eq(waited + self.millisecond)
            with m.State("UNDER WAY"):
                m.d.sync += waited.eq(waited + self.millisecond)
                with m.If(self.reads):
                    load(Mux(self.memory, self.memory_result, self.register_result), in_unit)
                with m.If(Mux(self.memory, self.memory_done, self.register_done)):
                    with m.If(Mux(self.memory, self.memory_error, self.register_error)):
                        fail()
                    with m.Else():
                        m.d.comb += self.advance.eq(1)
                        with m.If(is_check):
                            m.next = "SUM"
                        with m.Elif(self.reads):
                            m.next = "SEND UNIT"
                        with m.Else():
                            m.next = "NEXT"
                with m.Elif(waited == BUS_MILLISECONDS + 1):
                    fail()
            with m.State("SUM"):
                m.d.comb += crc.enable.eq(1)
                m.d.sync += [left.eq(left - 1), beat.eq(beat >> 8)]
                with m.If(left == 1):
                    m.next = "NEXT"
            with m.State("SEND UNIT"):
                send_rest("NEXT")
            with m.State("NEXT"):
                m.d.sync += waited.eq(0)
                with m.If(self.over | is_wait):
                    m.next = "END"
                    with m.If(is_check):
                        load(crc.sum, WORD)
                        m.next = "SEND LAST"
                with m.Elif(self.reads | is_fill):
                    m.next = "ACCESS"
                with m.Else():
                    m.next = "GATHER UNIT"

            with m.State("SEND LAST"):
                send_rest("END")
            with m.State("END"):
                m.d.comb += self.execute.eq((status == LinkStatus.OK) & fresh & ~is_hello)
                m.next = "RESULT"
            with m.State("RESULT"):
                load(Cat(self.expected, status, Const(0, 8 - len(status))), RESULT.size)
                m.d.sync += at_result.eq(1)
                m.next = "SEND RESULT"
            with m.State("SEND RESULT"):
                m.d.comb += self.done.eq(left == 0)
                send_rest("FREED")
            with m.State("FREED"):
                m.next = "IDLE"
        return m
