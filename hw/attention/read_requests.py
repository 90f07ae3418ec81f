"""The reads of one ATTEND, issued ahead of their use."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.multiply_add import registered_product
from hw.attention.jobs import JOB
from hw.command import field_shapes
from hw.memory.shapes import READ_REQUEST
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, chunk_bytes
from models.machine.descriptor import Opcode

__all__ = ["READ_REQUEST", "ReadRequests"]


class ReadRequests(wiring.Component):
    """For each job the read of its keys, then those of the values of the job before; the last job's values at once.

    So a job's softmax has the time of two reads. A job goes on to `o` when the read of its keys is on its way. Keys are
    one read: whole blocks with their scales, and of the last block as many rows as there are tokens. Values are one
    read a chunk that has channels of the head's `dim`. Sizes are whole beats of all ports; addresses are logical
    (`models.machine.cache`). The command's sizes and bases hold from the first job to the last. Requests go out as
    fast as they are taken.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._chunk = chunk_bytes(build.ports)
        self._elements = build.kv.elements_in(self._chunk)
        self._beat = build.beat_bytes
        self._tokens = range(build.context_max + 1)
        fields = field_shapes(Opcode.ATTEND, "dim", "head_bytes", "row_bytes", "block_bytes", "region_bytes",
                              "key_scales", "values")
        super().__init__({
            **{name: In(shape) for name, shape in fields.items()},
            "i": In(stream.Signature(JOB)),
            "o": Out(stream.Signature(JOB)),
            "read": Out(stream.Signature(READ_REQUEST)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        job = Signal(JOB, reset_less=True)
        # of the job, and of the one whose values are still to be read
        tokens, waiting_tokens = Signal(self._tokens, reset_less=True), Signal(self._tokens, reset_less=True)
        offset, waiting_offset = Signal(32, reset_less=True), Signal(32, reset_less=True)
        waiting, ending = Signal(), Signal()
        kv_head = Signal(8, reset_less=True)
        blocks_size, rows_size = Signal(32, reset_less=True), Signal(16)
        tail_size = Signal(16, reset_less=True)  # of the last block, if it is not whole
        request = Signal(READ_REQUEST, reset_less=True)
        chunks = Signal(range(512 // self._chunk + 1), reset_less=True)
        left = Signal.like(chunks, reset_less=True)

        def whole_beats(size: Value) -> Value:
            return (size + (self._beat - 1)) & ~(self._beat - 1)

        some_rows = tokens % BLOCK_TOKENS
        m.d.comb += [self.read.payload.eq(request), self.o.payload.eq(job)]
        m.d.sync += [
            chunks.eq((self.dim + self._elements - 1) // self._elements),
            blocks_size.eq((tokens // BLOCK_TOKENS) * self.block_bytes),
        ]
        m.d.comb += rows_size.eq(registered_product(m, platform, some_rows, self.row_bytes))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [job.eq(self.i.p), tokens.eq(self.i.p.tokens + self.i.p.rows_last)]
                with m.If(self.i.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += kv_head.eq(job.kv_head)
                with m.If(job.kv_head == 0):
                    m.d.sync += offset.eq(0)
                with m.Elif(job.kv_head != kv_head):
                    m.d.sync += offset.eq(offset + self.head_bytes)
                m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += tail_size.eq(Mux(some_rows == 0, 0, HEADER_BYTES + whole_beats(rows_size)))
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += [
                    request.address.eq(self.key_scales + offset),
                    request.bytes.eq(blocks_size + tail_size),
                ]
                m.next = "KEYS"
            with m.State("KEYS"):
                m.d.comb += self.read.valid.eq(1)
                with m.If(self.read.ready):
                    m.next = "GO ON"
            with m.State("GO ON"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "VALUES"
                    with m.If(~waiting):
                        m.next = "HAND OVER"
            with m.State("VALUES"):
                m.d.sync += [
                    request.address.eq(self.values + waiting_offset),
                    request.bytes.eq(whole_beats(waiting_tokens * self._chunk)),
                    left.eq(chunks),
                ]
                m.next = "CHUNK"
            with m.State("CHUNK"):
                m.d.comb += self.read.valid.eq(1)
                with m.If(self.read.ready):
                    m.d.sync += [left.eq(left - 1), request.address.eq(request.address + self.region_bytes)]
                    with m.If(left == 1):
                        m.next = "HAND OVER"
                        with m.If(ending):
                            m.d.sync += [ending.eq(0), waiting.eq(0)]
                            m.next = "IDLE"
            with m.State("HAND OVER"):
                m.d.sync += [waiting.eq(1), waiting_tokens.eq(tokens), waiting_offset.eq(offset), ending.eq(job.last)]
                m.next = "IDLE"
                with m.If(job.last):
                    m.next = "VALUES"
        return m
