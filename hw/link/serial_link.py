"""Serial link: a board's end of a serial line, by which a host reaches registers, memory and the interrupt."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.link.deframer import Deframer
from hw.link.executor import Executor
from hw.link.framer import Framer
from hw.link.memory_access import MemoryAccess
from hw.link.milliseconds import Milliseconds
from hw.link.register_access import RegisterAccess
from hw.link.request_buffers import RequestBuffers
from hw.link.request_check import RequestCheck
from hw.link.request_head import RequestHead
from hw.link.session import Session
from hw.link.uart_receiver import UartReceiver
from hw.link.uart_transmitter import UartTransmitter
from hw.memory.axi import Axi4, Axi4Lite
from hw.stream.register_slice import sliced
from models.machine.link import BAUD, MOST_FRAME, REQUEST

__all__ = ["SerialLink"]


class SerialLink(wiring.Component):
    """The protocol of docs/link.md between `rx` and `tx`: a master of `registers` and of memory, `axi`.

    clock_mhz: of the design. memory_bytes: of the memory, which begins at address 0.

    `axi` has one burst of one beat under way, ID 0; `registers` one access. `memory_ready`: the memory may be accessed.
    `reset_core` is high for 64 cycles where the host asks for it.
    """

    def __init__(self, clock_mhz: float, baud: int = BAUD, *, memory_bytes: int = 32 << 20) -> None:
        self._clock_mhz, self._baud, self._memory_bytes = clock_mhz, baud, memory_bytes
        super().__init__({
            "rx": In(1), "tx": Out(1, init=1),
            "registers": Out(Axi4Lite()), "axi": Out(Axi4()),
            "irq": In(1), "memory_ready": In(1), "reset_core": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self._clock_mhz, self._baud)
        m.submodules.deframer = deframer = Deframer(REQUEST.size, MOST_FRAME)
        m.submodules.buffers = buffers = RequestBuffers()
        m.submodules.head = head = RequestHead()
        m.submodules.check = check = RequestCheck(self._memory_bytes)
        m.submodules.session = session = Session()
        m.submodules.executor = executor = Executor(self._clock_mhz, self._memory_bytes)
        # an access under way in the core is over with a reset of the core
        access = RegisterAccess()
        m.submodules.register_access = ResetInserter(self.reset_core)(access)
        m.submodules.memory_access = memory = MemoryAccess()
        m.submodules.milliseconds = milliseconds = Milliseconds(self._clock_mhz)
        m.submodules.framer = framer = Framer()
        m.submodules.transmitter = transmitter = UartTransmitter(self._clock_mhz, self._baud)
        connect(m, sliced(m, platform, "answer_slice", executor.o), framer.i)
        connect(m, framer.o, transmitter.i)
        connect(m, flipped(self.registers), access.bus)
        connect(m, flipped(self.axi), memory.axi)
        m.d.comb += [
            receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx),
            deframer.byte.eq(receiver.byte), deframer.valid.eq(receiver.valid), deframer.broken.eq(receiver.broken),

            buffers.begin.eq(deframer.begin), buffers.store.eq(deframer.store),
            buffers.store_place.eq(deframer.place), buffers.data.eq(deframer.data),
            buffers.end.eq(deframer.end), buffers.good.eq(deframer.good),
            buffers.frame_length.eq(deframer.length),
            buffers.place.eq(executor.place), buffers.done.eq(executor.done),
            executor.ready.eq(buffers.ready), executor.another.eq(buffers.another), executor.byte.eq(buffers.byte),
            executor.damaged.eq(buffers.damaged), executor.dropped.eq(buffers.dropped),

            head.byte.eq(buffers.byte), head.shift.eq(executor.shift),
            head.advance.eq(executor.advance), head.step.eq(executor.step),
            executor.sequence.eq(head.sequence), executor.operation.eq(head.operation),
            executor.address.eq(head.address), executor.over.eq(head.over),

            check.operation.eq(head.operation), check.address.eq(head.address), check.size.eq(head.size),
            check.length.eq(buffers.length),
            executor.form.eq(check.status), executor.reads.eq(check.reads),
            executor.registers.eq(check.registers), executor.memory.eq(check.memory),

            session.sequence.eq(head.sequence), session.session.eq(head.session), session.reads.eq(check.reads),
            session.greet.eq(executor.greet), session.execute.eq(executor.execute),
            session.change.eq(executor.change),
            executor.session.eq(session.current), executor.expected.eq(session.expected),
            executor.order.eq(session.status), executor.repeat.eq(session.repeat),

            access.start.eq(executor.start_register), memory.start.eq(executor.start_memory),
            access.write.eq(executor.write), memory.write.eq(executor.write),
            access.address.eq(executor.register_address), memory.address.eq(head.address),
            access.data.eq(executor.beat[-32:]), memory.data.eq(executor.beat),
            executor.register_busy.eq(access.busy), executor.register_done.eq(access.done),
            executor.register_error.eq(access.error), executor.register_result.eq(access.result),
            executor.memory_busy.eq(memory.busy), executor.memory_done.eq(memory.done),
            executor.memory_error.eq(memory.error), executor.memory_result.eq(memory.result),
            executor.memory_ready.eq(self.memory_ready),

            executor.millisecond.eq(milliseconds.tick), executor.irq.eq(self.irq),
            self.reset_core.eq(executor.reset_core),
        ]
        return m
