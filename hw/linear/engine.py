"""The linear engine: one ternary matrix times a few rows of activations, at the pace of the weight stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.command import COMMAND_BITS, command_layout
from hw.linear.accumulator import Accumulator
from hw.linear.activations import ActivationMemory, activation_layout
from hw.linear.frame_unpacker import FrameUnpacker
from hw.linear.lookup_array import LookupArray
from hw.linear.reader import READ_REQUEST, SUM_ELEMENT, AccumulatorReader
from hw.linear.step_issue import StepIssue
from hw.linear.stream_gate import StreamGate
from hw.linear.table_fill import TableFill
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["LinearEngine"]


class LinearEngine(wiring.Component):
    """MATMUL {tiles, outputs, accumulator, rows}: sums = activations x trits, for all rows of the build.

    Contract: golden `ternary_matmul` (docs/numerics.md §3), exact. Output n of the command lies in word
    accumulator + n // Q, slot n % Q of the accumulator memory, Q = build.outputs_per_step. `outputs` is
    the padded number, a multiple of 10; `tiles` and `outputs` are at least 1 and 10. `rows` is ignored:
    all rows of the build are computed.

    `i_activations`: int8 elements of the command's input, complete before the command; always ready. They
    stay unchanged until the command retires. Inputs beyond the matrix meet zero trits.
    `i_weights`: build.beat_bytes bytes a beat, `models.machine.layout.weight_stream` of the matrix, padding
    included and nothing more; no beat is taken between commands. `invalid_bytes`: in each cycle, how many more
    bytes of frames were above 242, and counted as zero trits.
    `read_a`, `read_b` -> `sums_a`, `sums_b`: sums of one row, `hw.linear.reader`; at any time, also
    beside a command that writes other words.
    `command` is taken when the engine is idle; `retired` pulses when the last sum can be read.

    Cycles of a command: tables filled first (T / 8 + 31), then one step of Q outputs a cycle (tiles x outputs / Q,
    plus a reader's slots) or the beats of the stream, whichever is slower, then about 12 to drain. A tile whose
    outputs / Q steps are fewer than the T / 8 + 30 cycles of a fill waits for it.
    """

    def __init__(self, build: BuildParameters):
        self._build = build
        self._unpacker = FrameUnpacker(build)
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "i_weights": In(stream.Signature(build.beat_bytes * 8)),
            "i_activations": In(stream.Signature(activation_layout(8))),
            "invalid_bytes": Out(self._unpacker.invalid_bytes.shape()),
            "read_a": In(stream.Signature(READ_REQUEST)),
            "sums_a": Out(stream.Signature(SUM_ELEMENT)),
            "read_b": In(stream.Signature(READ_REQUEST)),
            "sums_b": Out(stream.Signature(SUM_ELEMENT)),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        parts = build.ports  # words of a tile in the activation memory: 24 inputs, 8 tables each
        lanes = build.tile_inputs // parts
        depth = -(-build.inputs_max // build.tile_inputs) * parts

        m.submodules.gate = gate = StreamGate(build)
        m.submodules.unpacker = unpacker = self._unpacker
        m.submodules.activations = activations = ActivationMemory(8, lanes, depth, build.rows)
        m.submodules.fill = fill = TableFill(parts, depth)
        m.submodules.issue = issue = StepIssue(build)
        m.submodules.array = array = LookupArray(build, parts)
        m.submodules.accumulator = accumulator = Accumulator(build, array.sum_bits, array.latency)

        connect(m, flipped(self.i_weights), gate.i)
        connect(m, gate.o, unpacker.i_beats)
        connect(m, flipped(self.i_activations), activations.i)
        m.d.comb += [
            self.invalid_bytes.eq(unpacker.invalid_bytes),
            activations.address.eq(fill.address),
            array.groups.eq(activations.words), array.load.eq(fill.load), array.fill.eq(fill.fill),
            array.indices.eq(unpacker.o_steps.payload), array.bank.eq(fill.bank),
            issue.tables_ready.eq(fill.ready), fill.release.eq(issue.release),
            issue.available.eq(unpacker.o_steps.valid), unpacker.o_steps.ready.eq(issue.take),
            issue.reserved.eq(accumulator.reserved), accumulator.step.eq(issue.step),
            accumulator.sums.eq(array.sums),
        ]

        for n, (request, sums) in enumerate(((self.read_a, self.sums_a), (self.read_b, self.sums_b))):
            m.submodules[f"reader_{'ab'[n]}"] = reader = AccumulatorReader(build, accumulator.read_latency)
            connect(m, flipped(request), reader.request)
            connect(m, reader.o, flipped(sums))
            connect(m, reader.address, accumulator.requests[n])
            m.d.comb += [reader.words.eq(accumulator.words), reader.returned.eq(accumulator.returned[n])]

        command = data.View(command_layout(Opcode.MATMUL), self.command.payload)
        start = Signal()
        m.d.comb += [
            gate.start.eq(start), gate.tiles.eq(command.tiles), gate.outputs.eq(command.outputs),
            fill.start.eq(start), fill.tiles.eq(command.tiles),
            issue.start.eq(start), issue.tiles.eq(command.tiles), issue.outputs.eq(command.outputs),
            issue.base.eq(command.accumulator),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.command.ready.eq(1), start.eq(self.command.valid)]
                with m.If(self.command.valid):
                    m.next = "RUN"
            with m.State("RUN"):
                with m.If(gate.done & issue.done & accumulator.idle):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
