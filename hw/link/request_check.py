"""Request check: whether a request looks as it must, whatever was before it."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.machine.link import (
    BEAT,
    MOST_DATA,
    MOST_FRAME,
    OPERATIONS,
    REGISTER_SPACE,
    REQUEST,
    WORD,
    LinkStatus,
    OperationRules,
)

__all__ = ["CHECK_CYCLES", "RequestCheck"]

CHECK_CYCLES = 2


class RequestCheck(wiring.Component):
    """`status` is OK, BAD_OPERATION, BAD_LENGTH or BAD_ADDRESS by `models.machine.link.OPERATIONS`, two cycles after
    its inputs. reads, registers, memory: what the operation is, a cycle after it.

    length: of the frame. memory_bytes: of the memory.
    """

    def __init__(self, memory_bytes: int) -> None:
        if memory_bytes < 1 or memory_bytes > 1 << 32 or memory_bytes % BEAT:
            raise ValueError(f"memory must have a multiple of {BEAT} bytes up to {1 << 32}, got {memory_bytes}")
        self._memory_bytes = memory_bytes
        super().__init__({
            "operation": In(8), "address": In(32), "size": In(32), "length": In(range(MOST_FRAME + 1)),
            "status": Out(LinkStatus), "reads": Out(1), "registers": Out(1), "memory": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()

        def is_one(kind: Callable[[OperationRules], object]) -> Value:
            """Whether the operation is one whose rules are of the kind."""
            return Cat(self.operation == code for code, rules in OPERATIONS.items() if kind(rules)).any()

        known, counted, filled, bounded = Signal(), Signal(), Signal(), Signal()
        end, data = Signal(33, reset_less=True), Signal.like(self.length, reset_less=True)
        empty, large = Signal(), Signal()
        m.d.sync += [
            known.eq(is_one(lambda rules: True)),
            self.reads.eq(is_one(lambda rules: rules.reads)),
            self.registers.eq(is_one(lambda rules: rules.space == "registers")),
            self.memory.eq(is_one(lambda rules: rules.space == "memory")),
            counted.eq(is_one(lambda rules: rules.data is None)),
            filled.eq(is_one(lambda rules: rules.data == BEAT)),
            bounded.eq(is_one(lambda rules: rules.most == MOST_DATA)),
            end.eq(self.address + self.size),
            data.eq(self.length - REQUEST.size),
            empty.eq(self.size == 0),
            large.eq(self.size > MOST_DATA),
        ]
        bad_length, bad_address = Signal(), Signal()
        expected = Signal.like(data)
        spaced, unit = self.registers | self.memory, Mux(self.memory, BEAT - 1, WORD - 1)
        m.d.comb += [
            expected.eq(Mux(counted, self.size, Mux(filled, BEAT, 0))),
            bad_length.eq((data != expected) | (spaced & (empty | (self.size & unit).any())) | (bounded & large)),
            bad_address.eq(spaced & ((self.address & unit).any()
                                     | (end > Mux(self.memory, self._memory_bytes, REGISTER_SPACE)))),
        ]
        with m.If(~known):
            m.d.sync += self.status.eq(LinkStatus.BAD_OPERATION)
        with m.Elif(bad_length):
            m.d.sync += self.status.eq(LinkStatus.BAD_LENGTH)
        with m.Elif(bad_address):
            m.d.sync += self.status.eq(LinkStatus.BAD_ADDRESS)
        with m.Else():
            m.d.sync += self.status.eq(LinkStatus.OK)
        return m
