"""From what NORM takes to the inputs of linear layers and head, one row at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR, from_word, power_of_two
from hw.arith.scalar_unit import ScalarPort
from hw.command import COMMAND_BITS, command_layout
from hw.linear.activations import activation_layout
from hw.memory.shapes import LOAD_WORD
from hw.vector.channel_memories import channel_read, gain_word
from hw.vector.layer_inputs import STEP_WRITE, LayerInputs
from hw.vector.norm_quant import NormQuant
from hw.vector.norm_source import NormSource, source_ports
from hw.vector.rescale import RescalePort
from hw.vector.row import ROW
from hw.vector.tap import command_exponents
from hw.vector.word_tap import WordTapPort
from models.machine.descriptor import Activation, Opcode
from models.machine.descriptor import NormSource as Source

__all__ = ["NormPath"]


class NormPath(wiring.Component):
    """NORM of one row: its source (`NormSource`), norm and quantiser (`NormQuant`), what it sends (`LayerInputs`).

    `command`, a NORM, and `row` hold still from `start`, held until `ready`, to the transfer on `o_unit`, the value of
    one unit of what was sent. exponent: of attention's results, while they come. `counting` and what `i_load` takes:
    `LayerInputs`. Rescaling, tap and scalar unit are shared with others.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes, self._source_ports = lanes, source_ports(lanes)
        super().__init__({
            "command": In(COMMAND_BITS),
            "row": In(ROW),
            "start": In(1),
            "ready": Out(1),
            "exponent": In(signed(10)),
            "counting": In(1),
            "i_load": In(stream.Signature(LOAD_WORD)),
            **self._source_ports,
            "gain": Out(channel_read(gain_word(lanes))),
            "rescale": Out(RescalePort(lanes)),
            "tap": Out(WordTapPort(lanes)),
            "scalar": Out(ScalarPort()),
            "o_linear": Out(stream.Signature(activation_layout(8, lanes), always_ready=True)),
            "o_head": Out(stream.Signature(activation_layout(16, lanes), always_ready=True)),
            "o_step": Out(stream.Signature(STEP_WRITE, always_ready=True)),
            "o_unit": Out(stream.Signature(SCALAR)),
            "zeros": Out(16),
            "activations": Out(16),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        fields, row = data.View(command_layout(Opcode.NORM), self.command), self.row
        m.submodules.source = source = NormSource(self._lanes)
        m.submodules.norm = norm = NormQuant(self._lanes)
        m.submodules.inputs = inputs = LayerInputs(self._lanes)
        connect(m, norm.o_pass, source.i_pass)
        connect(m, source.o, norm.i_x)
        connect(m, norm.o_q, inputs.i)
        for inner, outer in (
                *((getattr(source, name), getattr(self, name)) for name in self._source_ports), (norm.gain, self.gain),
                (norm.rescale, self.rescale), (norm.tap, self.tap), (norm.scalar, self.scalar),
                (norm.o_scale, self.o_unit), (inputs.i_load, self.i_load), (inputs.o_linear, self.o_linear),
                (inputs.o_head, self.o_head), (inputs.o_step, self.o_step)):
            connect(m, inner, flipped(outer))

        gain_m, gain_e = from_word(fields.gain)
        eps_m, eps_e = from_word(fields.eps_sum)
        m.d.comb += [
            source.settings.source.eq(fields.source),
            source.settings.silu.eq(fields.activation == Activation.SILU),
            source.settings.gate_scale.eq(row.gate_scale),
            source.settings.row.eq(row.index),
            source.settings.count.eq(fields.count),
            source.settings.base.eq(row.base),
            source.settings.group_channels.eq(fields.group_channels),
            source.settings.gate_accumulator.eq(row.accumulator),
            source.settings.up_accumulator.eq(fields.up_accumulator),
            norm.start.valid.eq(self.start), self.ready.eq(norm.start.ready),
            norm.start.p.gain.m.eq(gain_m), norm.start.p.gain.e.eq(gain_e),
            norm.start.p.eps_sum.m.eq(eps_m), norm.start.p.eps_sum.e.eq(eps_e),
            norm.start.p.rms.eq(fields.rms),
            norm.start.p.gained.eq(fields.gained),
            norm.start.p.levels16.eq(fields.levels16),
            norm.start.p.tapped.eq(fields.tap),
            *command_exponents(norm.start.p.exponents, fields),
            inputs.coming.eq(norm.coming), inputs.counting.eq(self.counting),
            inputs.row.levels16.eq(fields.levels16),
            *(inputs.row[name].eq(row[name]) for name in ("index", "offset", "count")),
            self.zeros.eq(inputs.zeros), self.activations.eq(inputs.activations),
        ]
        m.d.sync += Value.cast(norm.scale).eq(Mux(fields.source == Source.ATTENTION, power_of_two(self.exponent),
                                                  Value.cast(row.scale)))
        return m
