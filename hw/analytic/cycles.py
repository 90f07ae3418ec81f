"""Cycles of the linear layers: the weight stream, the elastic buffer and the array, as a recurrence over tiles.

Time is in cycles from the issue of the first STREAM. A tile of a matrix is `beats` of the stream and, for each batch
of rows, `steps` of the array. Four things bound it:

- the array: a step a cycle;
- the ports: beat x of all streams arrives no earlier than beat x - 1 and 1 / rate, and than the place of beat
  x - depth in the weight buffer is free again, which is when the last batch has read it;
- the tables: two banks, so that the fill for one (tile, batch) overlaps with the use of the one before; a tile of
  few steps waits for it;
- the command: the next MATMUL starts when the last sums of this one are written, and then fills its first tables.

All bounds are "no earlier than", so the times are maxima of sums: what a bubble costs shows only where the buffer has
not covered it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from hw.analytic.memory_rate import MemoryRate
from models.config import ModelConfig
from models.machine.build import BURST_BEATS, BuildParameters
from models.machine.layout import tile_count, weight_beats

__all__ = ["ACTIVATION_LANES", "LinearCycles", "fill_cycles", "layer_beats", "linear_cycles"]

ACTIVATION_LANES = 4  # inputs in a word of the activation memory (hw.linear.engine)

# From the sources of hw.linear and hw.memory, in cycles; none is fitted.
_ENTRIES_FILL = 29  # a table's 27 entries and the two states around them, beside the words loaded (table_fill)
_FILL_FREE = 30  # from the release of a bank, its words loaded already, to its being ready again
_START = 2  # from a command's transfer to the fill's first address, and from its last entry to `ready`
_DRAIN = 6  # of the last step, beside the adder tree's levels: table read, accumulator read, add, write, retirement
_BEAT_TO_STEP = 6  # buffer memory, its two output registers, gearbox, step register
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
    return build.tile_inputs // ACTIVATION_LANES + _ENTRIES_FILL


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
            pipeline.matrix(tiles, build.tile_beats(outputs), padded // build.outputs_per_step, batches)
            steps += tiles * batches * padded // build.outputs_per_step
    beats = layers * layer_beats(config, build)
    return LinearCycles(pipeline.end, steps, beats, beats * build.beat_bytes)


class _Pipeline:
    """The recurrence's state. `end`: when the last command has retired."""

    def __init__(self, build: BuildParameters, memory: MemoryRate) -> None:
        self._cycles_a_beat = 1 / memory.beats_a_cycle(build)
        self._depth = build.weight_buffer_beats
        self._chunk = max(self._depth // 4, BURST_BEATS)  # so that no beat waits for a place in its own chunk
        self._round_trip = memory.latency(build) + _REQUEST
        self._fill = fill_cycles(build)
        self._drain = _DRAIN + (build.tables - 1).bit_length()
        self.end = 0.0
        self._position, self._arrival = 0, self._round_trip  # beats so far, and when the last of them was there
        self._freed: list[tuple[int, float]] = [(0, 0.0)]  # beats, and when their places were free; linear between
        self._met = 0  # of those, how many the arrivals have met

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
                busy_until = begin
                if batch == 0:
                    busy_until = self._fresh(begin, beats, steps, frees=batches == 1)
                else:
                    busy_until += steps
                released = [released[1], busy_until]
            if batches > 1:
                self._freed += [(self._position - beats, begin), (self._position, busy_until)]
        padding = -(tiles * beats) % BURST_BEATS
        if padding:
            self._freed.append((self._position + padding, max(self._arrive(padding), busy_until)))
        self.end = busy_until + self._drain

    def _fresh(self, begin: float, beats: int, steps: int, *, frees: bool) -> float:
        """A tile's first batch: when its last step is taken, the beats having come."""
        time, left = begin, beats
        while left:
            chunk = min(left, self._chunk)
            before = self._arrival
            arrived = self._arrive(chunk) + _BEAT_TO_STEP
            if frees:
                self._freed.append((self._position - chunk, max(time, before)))
            time = max(time + steps * chunk / beats, arrived)
            if frees:
                self._freed.append((self._position, time - _BEAT_TO_STEP))
            left -= chunk
        return time

    def _arrive(self, beats: int) -> float:
        """When so many more beats are in the buffer."""
        last = self._position + beats
        while self._met < len(self._freed) and self._freed[self._met][0] + self._depth <= last:
            place, free = self._freed[self._met]
            self._advance(place + self._depth, free)
            self._met += 1
        if last > self._depth:
            self._advance(last, self._free_at(last - self._depth))
        else:
            self._advance(last, 0.0)
        return self._arrival

    def _advance(self, position: int, free: float) -> None:
        position = max(position, self._position)
        self._arrival = max(self._arrival + (position - self._position) * self._cycles_a_beat,
                            free + self._round_trip)
        self._position = position

    def _free_at(self, place: int) -> float:
        index = bisect_right(self._freed, (place, float("inf")))
        (before, then), (after, now) = self._freed[index - 1], self._freed[index]
        return then + (now - then) * (place - before) / (after - before)
