"""A Perfetto trace as its own message types read it: what a viewer would show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

__all__ = ["Slice", "TraceFile", "read_trace"]


@dataclass(frozen=True)
class Slice:
    """Times in ns; about: its annotations."""

    name: str
    start: int
    end: int
    about: dict[str, int | str]


@dataclass
class TraceFile:
    """By name of a track: its slices in order, or the (time, value) of its counter. process: the one above them."""

    process: str = ""
    slices: dict[str, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def cycles(self, track: str) -> dict[str, int]:
        """The slices' cycles added up by name."""
        total: dict[str, int] = defaultdict(int)
        for item in self.slices[track]:
            total[item.name] += item.about["cycles"]
        return dict(total)


def read_trace(path: Path) -> TraceFile:
    """All of a trace; `AssertionError` where slices of a track overlap or a track is unknown."""
    found, names, opened = TraceFile(), {}, {}
    for packet in Trace.FromString(path.read_bytes()).packet:
        assert packet.trusted_packet_sequence_id
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            if track.HasField("process"):
                found.process = track.process.process_name
            else:
                names[track.uuid] = track.name
            continue
        event, time = packet.track_event, packet.timestamp
        name = names[event.track_uuid]
        if event.type == TrackEvent.TYPE_COUNTER:
            found.counters[name].append((time, event.double_counter_value))
        elif event.type == TrackEvent.TYPE_SLICE_BEGIN:
            assert name not in opened
            opened[name] = event, time
        else:
            begin, start = opened.pop(name)
            about = {note.name: getattr(note, note.WhichOneof("value")) for note in begin.debug_annotations}
            assert not found.slices[name] or found.slices[name][-1].end <= start
            found.slices[name].append(Slice(begin.name, start, time, about))
    assert not opened
    return found
