"""Cycles of the linear layers: the weight stream, the elastic buffer and the array, as a recurrence over tiles.

Time is in cycles from the issue of the first STREAM. A tile of a matrix is `beats` of the stream and, for each batch
of rows, `steps` of the array. Four things bound it:

- the array: a step a cycle;
- the ports: a beat comes no earlier than the beat before and 1 / rate, and than the beat before whose place it takes,
  in the weight buffer and the ports' FIFOs, was used for the last time, that is, by the last batch;
- the tables: two banks, so that the fill for one (tile, batch) overlaps with the use of the one before; a tile of
  few steps waits for it;
- the command: the next MATMUL starts when the last sums of this one are written, and then fills its first tables.

All bounds are "no earlier than", so the times are maxima of sums: what a bubble costs shows only where the buffer has
not covered it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from hw.boards.memory_rate import MemoryRate
from models.config import ModelConfig
from models.machine.build import BURST_BEATS, CHANNEL_UNIT, PORT_FIFO_BEATS, TRITS_PER_BYTE, BuildParameters
from models.machine.layout import tile_count, weight_beats

__all__ = ["LinearCycles", "fill_cycles", "layer_beats", "linear_cycles"]


# From the sources of hw.linear, hw.memory and hw.control, in cycles; none is fitted.
_ENTRIES_FILL = 29  # a table's 27 entries and the two states around them, beside the words loaded (table_fill)
_FILL_FREE = 30  # from the release of a bank, its words loaded already, to its being ready again
_START = 2  # from a command's transfer to the fill's first address, and from its last entry to `ready`
_DRAIN = 8  # of the last step beside the adder tree's levels: buffer and table read, add, write; retirement, a command
_BEAT_TO_STEP = 8  # FIFO: memory and two output registers; slice, gearbox, weight buffer
_REQUEST = 8  # from the issue of a STREAM, or from free room, to the address on the port, and back from the data


@dataclass(frozen=True)
class LinearCycles:
    """Of one pass: its cycles, those in which the array takes a step, and the bytes read."""

    cycles: float
    array_steps: int
    beats: int
    bytes: int


def fill_cycles(build: BuildParameters) -> int:
    """Cycles in which the tables of one tile and batch are filled."""
    return build.tile_inputs // CHANNEL_UNIT + _ENTRIES_FILL


def layer_beats(config: ModelConfig, build: BuildParameters) -> int:
    """Beats of a layer's seven streams, padding included."""
    return sum(weight_beats(*shape, build) for shape in config.linear_shapes.values())


def linear_cycles(config: ModelConfig, build: BuildParameters, memory: MemoryRate, *, rows: int,
                  layers: int) -> LinearCycles:
    """One pass of `rows` rows over the linear layers of `layers` layers, activations present."""
    batches = -(-rows // build.rows)
    pipeline = _Pipeline(build, memory)
    steps = 0
    for _ in range(layers):
        for outputs, inputs in config.linear_shapes.values():
            tiles, padded = tile_count(inputs, build), build.padded_outputs(outputs)
            beats = padded * build.tile_inputs // (TRITS_PER_BYTE * build.beat_bytes)
            pipeline.matrix(tiles, beats, padded // build.outputs_per_step, batches)
            steps += tiles * batches * padded // build.outputs_per_step
    beats = layers * layer_beats(config, build)
    return LinearCycles(pipeline.end, steps, beats, beats * build.beat_bytes)


class _Pipeline:
    """The recurrence's state. `end`: when the last command has retired."""

    def __init__(self, build: BuildParameters, memory: MemoryRate) -> None:
        step_beats = build.tile_inputs * build.outputs_per_step / (TRITS_PER_BYTE * build.beat_bytes)
        held = build.weight_buffer_steps * step_beats
        round_trip = memory.latency(build) + _REQUEST
        self._chunk = max(int(held) // 4, 1)  # so that no beat waits for a place in its own chunk
        self._cycles_a_beat = 1 / memory.beats_a_cycle(build)
        self._freed: list[tuple[float, float]] = [(0.0, 0.0)]  # beats used for the last time, and when; linear between
        self._ports = _Front(self._freed, self._cycles_a_beat, held + PORT_FIFO_BEATS, round_trip)
        self._steps = _Front(self._freed, 1.0, held, _BEAT_TO_STEP)
        self._fill = fill_cycles(build)
        self._drain = _DRAIN + (build.tables - 1).bit_length()
        self.end = 0.0

    def matrix(self, tiles: int, beats: int, steps: int, batches: int) -> None:
        """One MATMUL and its stream."""
        busy_until = self.end
        filled = self.end + _START + self._fill
        released = [0.0, 0.0]  # of the two banks, the older first
        for tile in range(tiles):
            for batch in range(batches):
                if tile or batch:
                    filled = max(filled + self._fill, released[0] + _FILL_FREE)
                begin = max(busy_until, filled)
                if batch == 0:
                    busy_until = self._fresh(begin, beats, steps, frees=batches == 1)
                else:
                    busy_until = begin + steps
                released = [released[1], busy_until]
            if batches > 1:
                self._freed += [(self._ports.position - beats, begin), (self._ports.position, busy_until)]
        self._ports.time += -(tiles * beats) % BURST_BEATS * self._cycles_a_beat  # padding, dropped as it comes
        self.end = busy_until + self._drain

    def _fresh(self, begin: float, beats: int, steps: int, *, frees: bool) -> float:
        """A tile's first batch: when its last step is taken, the beats having come."""
        time, left = begin, beats
        while left:
            chunk = min(left, self._chunk)
            before, place = self._steps.time, self._ports.position
            self._ports.advance(chunk)
            self._steps.advance(chunk)
            self._steps.time = max(self._steps.time, self._ports.time + _BEAT_TO_STEP)
            if frees:
                self._freed.append((place, max(time, before)))
            time = max(time + steps * chunk / beats, self._steps.time)
            if frees:
                self._freed.append((place + chunk, time))
            left -= chunk
        return time


class _Front:
    """How far a stage has come along the streams: `time` when the first `position` beats were through.

    A beat takes `pace` at least, and stays at most `ahead` beats in front of those in `freed`, with a delay.
    """

    def __init__(self, freed: list[tuple[float, float]], pace: float, ahead: float, delay: float) -> None:
        self._freed, self._pace, self._ahead, self._delay = freed, pace, ahead, delay
        self._met = 0  # of `freed`, those that this front has passed
        self.position, self.time = 0.0, delay

    def advance(self, beats: int) -> None:
        """Go on by so many beats."""
        last = self.position + beats
        while self._met < len(self._freed) and self._freed[self._met][0] + self._ahead <= last:
            place, free = self._freed[self._met]
            self._move(max(place + self._ahead, self.position), free + self._delay)
            self._met += 1
        self._move(last, self._free_at(last - self._ahead) + self._delay if last > self._ahead else 0.0)

    def _move(self, position: float, earliest: float) -> None:
        self.time = max(self.time + (position - self.position) * self._pace, earliest)
        self.position = position

    def _free_at(self, place: float) -> float:
        index = bisect_right(self._freed, (place, float("inf")))
        if index == len(self._freed):
            return self._freed[-1][1]
        (before, then), (after, now) = self._freed[index - 1], self._freed[index]
        return then + (now - then) * (place - before) / (after - before)
