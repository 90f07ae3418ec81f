"""A run as a Perfetto trace: a slice for each descriptor on its engine's track, and the ports' traffic.

Times are those of the build's clock: a cycle takes 1 / clock_mhz µs, rounded to whole nanoseconds; the annotation
`cycles` of a slice is exact. The track `at work` gives each cycle to one unit, as the bench's breakdown does. Open it
at ui.perfetto.dev.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto
from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder

from models.machine.descriptor import Engine
from sim.bench.naming import Named
from sim.bench.probe import Timeline

__all__ = ["AT_WORK", "write_trace"]

AT_WORK = "at work"
"""Name of the track whose slices add up to the breakdown."""

_SEQUENCE = 1
_PROCESS = 1  # the track of the run; the others are below it
_WINDOW = 256  # cycles of a rate
_NS = 1e3  # cycles of 1 MHz


def write_trace(timeline: Timeline, descriptors: list[Named], path: Path, *, clock_mhz: float, title: str) -> None:
    """Write the trace of one run. descriptors: those that it ran, in order."""
    with open(path, "wb") as file:
        writer = _Writer(StreamingTraceProtoBuilder(file), clock_mhz)
        run = writer.track(title)
        work = writer.track(AT_WORK, run)
        for name, start, end in timeline.at_work():
            writer.slice(work, name, start, end)
        for engine in Engine:
            own = [item for item in descriptors if item.engine == engine]
            spans = timeline.spans(engine)
            if len(own) != len(spans):
                raise ValueError(f"{engine.name}: {len(spans)} stretches of work, {len(own)} descriptors")
            track = writer.track(engine.name.lower(), run) if own else 0
            for item, (start, end) in zip(own, spans, strict=True):
                writer.slice(track, item.name, start, end, _about(item, timeline.clock + start))
        for name, edges, rates in _rates(timeline):
            counter = writer.track(name, run, unit="GB/s")
            for cycle, rate in zip(edges, rates, strict=True):
                writer.count(counter, int(cycle), rate * clock_mhz / 1e3)


def _about(item: Named, clock: int) -> dict[str, int | str]:
    """What a slice says beside its name: `clock` is the cycle of the simulation, as waves count them."""
    fields = item.fields
    about: dict[str, int | str] = {"descriptor": item.index, "operation": fields.opcode.name, "clock": clock,
                                   "part": item.part}
    if item.layer is not None:
        about["layer"] = item.layer
    return about | {name: getattr(fields, name) for name in ("first_row", "rows", "beats", "bytes") if fields.has(name)}


def _rates(timeline: Timeline) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, first cycles of windows, and bytes a cycle in each, for both directions of each port."""
    if timeline.traffic is None:
        return
    cycles = timeline.cycles
    edges = np.append(np.arange(0, cycles[-1], _WINDOW), cycles[-1])
    for port, direction in np.ndindex(timeline.traffic.shape[1:]):
        moved = np.interp(edges, cycles, timeline.traffic[:, port, direction])
        rates = np.append(np.diff(moved) / np.diff(edges), 0.0)
        yield f"port {port} {('reads', 'writes')[direction]}", edges, rates


class _Writer:
    """Packets of one sequence. Tracks are numbered from 1 on."""

    def __init__(self, builder: StreamingTraceProtoBuilder, clock_mhz: float):
        self._builder, self._clock_mhz, self._tracks = builder, clock_mhz, 0

    def track(self, name: str, parent: int = 0, unit: str = "") -> int:
        """A new track: a process of its own unless it has a parent; a counter where there is a unit."""
        packet = self._builder.create_packet()
        self._tracks += 1
        track = packet.track_descriptor
        track.uuid = self._tracks
        if parent:
            track.name, track.parent_uuid, track.sibling_order_rank = name, parent, self._tracks
        else:
            track.process.pid, track.process.process_name = _PROCESS, name
            track.child_ordering = proto.TrackDescriptor.EXPLICIT
            packet.sequence_flags = proto.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        if unit:
            track.counter.unit_name = unit
        self._write(packet)
        return self._tracks

    def slice(self, track: int, name: str, start: int, end: int, about: Mapping[str, int | str] | None = None) -> None:
        """From one cycle to before another."""
        event = self._event(track, start, proto.TrackEvent.TYPE_SLICE_BEGIN)
        event.track_event.name = name
        for key, value in {"cycles": end - start, **(about or {})}.items():
            note = event.track_event.debug_annotations.add()
            note.name = key
            if isinstance(value, str):
                note.string_value = value
            else:
                note.int_value = value
        self._write(event)
        self._write(self._event(track, end, proto.TrackEvent.TYPE_SLICE_END))

    def count(self, track: int, cycle: int, value: float) -> None:
        """A counter's value from a cycle on."""
        event = self._event(track, cycle, proto.TrackEvent.TYPE_COUNTER)
        event.track_event.double_counter_value = value
        self._write(event)

    def _event(self, track: int, cycle: int, kind: int) -> proto.TracePacket:
        packet = self._builder.create_packet()
        packet.timestamp = round(cycle * _NS / self._clock_mhz)
        packet.track_event.type, packet.track_event.track_uuid = kind, track
        return packet

    def _write(self, packet: proto.TracePacket) -> None:
        packet.trusted_packet_sequence_id = _SEQUENCE
        self._builder.write_packet(packet)
