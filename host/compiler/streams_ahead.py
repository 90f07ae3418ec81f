"""Weight streams, listed ahead of their use."""

from __future__ import annotations

from typing import NamedTuple

from host.compiler.descriptor_list import DescriptorList
from models.machine.descriptor import Opcode

__all__ = ["FETCH_LEAD", "Stream", "StreamsAhead"]

FETCH_LEAD = 6
"""Streams listed beyond the one in use: fewer than a queue holds, so the prefetcher runs ahead and the sequencer never
waits for a stream nobody consumes."""


class Stream(NamedTuple):
    """A stream at a device address: `beats`, of which the last `padding` are dropped; head: whose it is."""

    address: int
    beats: int
    padding: int
    head: bool = False


class StreamsAhead:
    """The streams of a pass in the order of their use."""

    def __init__(self, descriptors: DescriptorList, streams: list[Stream]):
        self._list, self._streams = descriptors, streams
        self._listed = self._used = 0

    def use(self) -> None:
        """The next stream is about to be used: list those up to FETCH_LEAD beyond it."""
        while self._listed < min(self._used + FETCH_LEAD + 1, len(self._streams)):
            stream = self._streams[self._listed]
            self._list.add(Opcode.STREAM, address=stream.address, beats=stream.beats, padding=stream.padding,
                           head=int(stream.head), listed=0, row=0, row_beats=0)
            self._listed += 1
        self._used += 1
