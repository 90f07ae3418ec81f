"""Weight beats to the table indices of one step of the look-up array."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.adder_tree import AdderTree
from hw.linear.base3_decoder import Base3Decoder
from hw.linear.gearbox_units import GearboxUnits, Unit
from hw.linear.group_index import INDEX_BITS, group_index
from hw.stream.room import Room
from models.machine.build import TRITS_PER_GROUP, BuildParameters

__all__ = ["StepGearbox"]

_TRIT_BITS = 2
_GROUP_BITS = _TRIT_BITS * TRITS_PER_GROUP


class StepGearbox(wiring.Component):
    """Beats in stream order -> steps: for Q outputs of one tile, the T groups' table indices.

    A beat holds 80 trits a port, a step 24 Q of them, at least as many: both are whole numbers of `unit`s (5 and 6
    with Q = 4), and the units of a beat wait until a step is full. Tiles are whole beats and whole steps, so each
    begins with an empty gearbox. The index of a group of three inputs is `group_index` of their trits.

    `i_beats`: build.beat_bytes bytes, byte 0 lowest. `o_steps`: [Q][T] indices, which nothing holds up: no beat is
    taken where build.weight_buffer_steps came and were not `freed`, a pulse for each. `invalid_bytes`:
    the number of bytes above 242 in a beat, a few cycles after it was taken; 0 in all other cycles.

    Throughput: a beat and a step a cycle. Latency: 3 cycles from a step's last beat. `i_beats.ready` is a register, and
    the beats' own registers have no enable. Format: `models.machine.layout.weight_stream`.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build = build
        self._units = GearboxUnits.of(build)
        self._invalid_count = AdderTree(1, build.beat_bytes)
        steps = data.ArrayLayout(data.ArrayLayout(INDEX_BITS, build.tables), build.outputs_per_step)
        super().__init__({
            "i_beats": In(stream.Signature(build.beat_bytes * 8)),
            "o_steps": Out(wiring.Signature({"valid": Out(1), "payload": Out(steps)})),
            "freed": In(1),
            "invalid_bytes": Out(self._invalid_count.total.shape()),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        units, unit_bits = self._units, _TRIT_BITS * self._units.trits
        take = self._take(m)

        digits, invalid = [], []
        for n in range(self._build.beat_bytes):
            m.submodules[f"decoder_{n}"] = decoder = Base3Decoder()
            m.d.comb += decoder.byte.eq(self.i_beats.payload.word_select(n, 8))
            digits.append(decoder.digits.as_value())
            invalid.append(decoder.invalid)

        # the decoded beat, and units of earlier ones, as many as `phase` says (one-hot), oldest first
        beat = Signal(units.beat * unit_bits, reset_less=True)
        held = Signal((units.step - 1) * unit_bits, reset_less=True)
        has_code, has_beat = Signal(), Signal()
        phase = Signal(units.step, init=1)
        m.d.sync += [has_code.eq(take), has_beat.eq(has_code), beat.eq(Cat(digits))]
        with m.If(has_beat):
            m.d.sync += phase.eq(phase.rotate_left(units.beat))

        def select(sources: Mapping[int, Unit]) -> Value | int:
            """By the phase, one unit; 0 in other phases."""
            result = 0
            for source in dict.fromkeys(sources.values()):
                unit = (beat if source.newest else held).word_select(source.index, unit_bits)
                phases = Cat(phase[at] for at, other in sources.items() if other == source)
                result = result | Mux(phases.any(), unit, 0)
            return result

        with m.If(has_beat):
            m.d.sync += held.eq(Cat(select(sources) for sources in units.kept()))

        trits = Signal(units.step * unit_bits)
        m.d.comb += trits.eq(Cat(select(sources) for sources in units.taken()))
        groups = (trits[n * _GROUP_BITS:(n + 1) * _GROUP_BITS]
                  for n in range(self._build.tables * self._build.outputs_per_step))
        indices = Cat(*(Cat(*group_index(group)) for group in groups))
        m.d.sync += [self.o_steps.valid.eq(has_beat & self._full(phase)), self.o_steps.payload.eq(indices)]

        m.submodules.invalid_count = count = self._invalid_count
        for term, bad in zip(count.terms, invalid, strict=True):
            m.d.sync += term.eq(bad & has_code)
        m.d.comb += self.invalid_bytes.eq(count.total)
        return m

    def _full(self, phase: Signal) -> Value:
        """With a beat more there is a step."""
        return phase[self._units.missing:].any()

    def _take(self, m: Module) -> Signal:
        """A beat is taken: its step, if it is the last of one, has room."""
        phase = Signal(self._units.step, init=1, name="phase_ahead")
        m.submodules.room = room = Room(self._build.weight_buffer_steps)
        take = Signal()
        m.d.comb += [self.i_beats.ready.eq(room.free), take.eq(self.i_beats.valid & room.free),
                     room.take.eq(take & self._full(phase)), room.give.eq(self.freed)]
        with m.If(take):
            m.d.sync += phase.eq(phase.rotate_left(self._units.beat))
        return take
