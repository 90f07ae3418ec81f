"""The linear engine: one ternary matrix times rows of activations, at the pace of the weight stream or of the array."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.command import COMMAND_BITS, command_layout
from hw.linear.accumulator import Accumulator
from hw.linear.activations import ActivationMemory, activation_layout
from hw.linear.lookup_array import LookupArray
from hw.linear.reader import READ_REQUEST, AccumulatorReader, sum_word
from hw.linear.step_gearbox import StepGearbox
from hw.linear.step_issue import StepIssue
from hw.linear.table_fill import TableFill
from hw.linear.weight_buffer import WeightBuffer
from hw.stream.register_slice import RegisterSlice, sliced
from models.machine.build import CHANNEL_UNIT, BuildParameters
from models.machine.descriptor import Opcode

__all__ = ["LinearEngine"]


class LinearEngine(wiring.Component):
    """MATMUL {tiles, outputs, padding, accumulator, first_row, batches}: sums = activations x trits, of whole batches.

    Contract: golden `ternary_matmul` (docs/numerics.md §3), exact. Row r is row r % M of batch r // M, M = build.rows;
    `batches` batches follow from that of `first_row` on, and all rows of a batch are computed. Output n of batch b
    lies in word b * build.batch_words + accumulator + n // Q, slot n % Q of the accumulator memory,
    Q = build.outputs_per_step. `outputs` is the padded number, a multiple of build.outputs_align; words of nothing
    but the last `padding` ones are left alone. `tiles` and `batches` are at least 1.

    `i_activations`: int8 elements of the command's input, complete before the command; always ready. They
    stay unchanged until the command retires. Inputs beyond the matrix meet zero trits.
    `i_weights`: the beats of the commands' matrices in their order (`models.machine.layout.weight_stream` without the
    padding to bursts), taken at any time, ahead of their commands as far as the weight buffer has room.
    `invalid_bytes`: in each cycle, how many more bytes were above 242, and counted as zero trits.
    `read_a`, `read_b` -> `sums_a`, `sums_b`: sums of one row, `hw.linear.reader`; at any time, also
    beside a command that writes other words.
    `command` is taken when the engine is idle; `retired` pulses when the last sum can be read.

    Cycles of a command: tables filled first (3 T / 4 + 31), then one step of Q outputs a cycle
    (tiles x batches x outputs / Q) or the beats of the stream, whichever is slower, then about 14 to drain. A
    tile whose outputs / Q steps are fewer than the 3 T / 4 + 30 cycles of a fill waits for it. Readers cost no cycle.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        self._gearbox = StepGearbox(build)
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "i_weights": In(stream.Signature(build.beat_bytes * 8)),
            "i_activations": In(stream.Signature(activation_layout(8, build.lanes))),
            "invalid_bytes": Out(self._gearbox.invalid_bytes.shape()),
            "read_a": In(stream.Signature(READ_REQUEST)),
            "sums_a": Out(stream.Signature(sum_word(build.lanes))),
            "read_b": In(stream.Signature(READ_REQUEST)),
            "sums_b": Out(stream.Signature(sum_word(build.lanes))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        words = build.tile_inputs // CHANNEL_UNIT
        depth = -(-build.inputs_max // build.tile_inputs) * words

        m.submodules.slice = slice_ = RegisterSlice(self.i_weights.payload.shape())  # from the ports across the chip
        m.submodules.gearbox = gearbox = self._gearbox
        m.submodules.buffer = buffer = WeightBuffer(
            gearbox.o_steps.payload.shape().size, build.weight_buffer_steps, build.outputs_per_step)
        m.submodules.activations = activations = ActivationMemory(8, CHANNEL_UNIT, depth, build.rows,
                                                                  build.row_batches, lanes=build.lanes)
        m.submodules.fill = fill = TableFill(words, depth, build.row_batches)
        m.submodules.issue = issue = StepIssue(build)
        m.submodules.array = array = LookupArray(build, CHANNEL_UNIT)
        m.submodules.accumulator = accumulator = Accumulator(build, array.sum_bits,
                                                             WeightBuffer.READ_LATENCY + array.latency)

        connect(m, flipped(self.i_weights), slice_.i)
        connect(m, slice_.o, gearbox.i_beats)
        bank = fill.bank  # of the step that leaves the buffer
        for n in range(WeightBuffer.READ_LATENCY):
            taken, bank = bank, Signal(name=f"bank_{n}", reset_less=True)
            m.d.sync += bank.eq(taken)
        connect(m, flipped(self.i_activations), activations.i)
        m.d.comb += [
            self.invalid_bytes.eq(gearbox.invalid_bytes),
            activations.address.eq(fill.address), activations.batch.eq(fill.batch),
            array.activations.eq(activations.words), array.load.eq(fill.load), array.fill.eq(fill.fill),
            buffer.i.payload.eq(gearbox.o_steps.payload), buffer.i.valid.eq(gearbox.o_steps.valid),
            gearbox.freed.eq(buffer.freed),
            Value.cast(array.indices).eq(buffer.o), array.bank.eq(bank),
            issue.tables_ready.eq(fill.ready), fill.release.eq(issue.release),
            issue.available.eq(buffer.available), buffer.take.eq(issue.take),
            accumulator.step.eq(issue.step), accumulator.sums.eq(array.sums),
        ]

        for n, (request, sums) in enumerate(((self.read_a, self.sums_a), (self.read_b, self.sums_b))):
            m.submodules[f"reader_{'ab'[n]}"] = reader = AccumulatorReader(build)
            connect(m, flipped(request), reader.request)
            connect(m, sliced(m, platform, f"sums_slice_{'ab'[n]}", reader.o), flipped(sums))
            connect(m, reader.asks, accumulator.requests[n])
            m.d.comb += [reader.words.eq(accumulator.words[n]), reader.returned.eq(accumulator.returned[n])]

        command = data.View(command_layout(Opcode.MATMUL), self.command.payload)
        start, first_batch = Signal(), Signal(range(build.row_batches))
        m.d.comb += [
            first_batch.eq(command.first_row >> exact_log2(build.rows)),
            fill.first_batch.eq(first_batch), issue.first_batch.eq(first_batch),
            buffer.plan.valid.eq(start),  # idle by then: the command before has taken all its steps
            *(buffer.plan.p[name].eq(command[name]) for name in ("outputs", "tiles", "batches")),
            fill.start.eq(start), fill.tiles.eq(command.tiles), fill.batches.eq(command.batches),
            issue.start.eq(start), issue.tiles.eq(command.tiles), issue.batches.eq(command.batches),
            issue.outputs.eq(command.outputs), issue.padding.eq(command.padding), issue.base.eq(command.accumulator),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.command.ready.eq(1), start.eq(self.command.valid)]
                with m.If(self.command.valid):
                    m.next = "RUN"
            with m.State("RUN"):
                with m.If(issue.done & accumulator.idle):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
        return m
