"""All descriptors of one operation, and the limits that rules are made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.compiler.rules.listed_pass import Fields, ListedPass, up
from models.machine.build import CHANNEL_UNIT
from models.machine.descriptor import Opcode

__all__ = ["Operation"]


class Operation:
    """Of a pass. fields: its columns; build, base, tiles: as of the pass. What is refused is noted in the pass."""

    def __init__(self, listed: ListedPass, opcode: Opcode):
        self._listed = listed
        self.build, self.base, self.tiles = listed.build, listed.base, listed.tiles
        self._index: np.ndarray
        self.fields: Fields
        self._index, self.fields = listed.chosen[opcode]

    def refuse(self, wrong: np.ndarray | bool, what: str) -> None:
        """Note the first of the operation's descriptors that is wrong. what: with its fields in braces."""
        for n in np.flatnonzero(np.broadcast_to(wrong, self._index.shape))[:1]:
            values = {name: int(column[n]) for name, column in self.fields.items()}
            self._listed.note(self._index[n], what.format_map(values))

    def inside(self, start: np.ndarray, end: np.ndarray, what: str) -> None:
        """Refuse what touches bytes `start` to `end` - 1 where they leave the buffer."""
        base, limit = self._listed.base, self._listed.end
        for n in np.flatnonzero((start < base) | (end > limit))[:1]:
            self._listed.note(self._index[n], f"{what} {int(start[n]):#x} to {int(end[n]):#x}, outside the buffer at "
                                              f"{base:#x} to {limit:#x}")

    def multiples(self, unit: int, *names: str) -> None:
        """Refuse fields that are none, where matrices lie as the fabric reads them."""
        if self.tiles:
            for name in names:
                self.refuse(self.fields[name] % unit != 0, f"its {name} of {{{name}}} is no multiple of {unit}")

    def within(self, name: str, most: np.ndarray | int, least: int = 1) -> None:
        """Refuse a field below `least` or above `most`."""
        wrong = (self.fields[name] > most) | (self.fields[name] < least)
        limit = f"{least} to {most}" if isinstance(most, int) else f"from {least} to the build's limit"
        self.refuse(wrong, f"its {name} of {{{name}}} is not {limit}")

    def rows(self) -> None:
        """Refuse rows that the build has not."""
        slots = self.build.slots
        self.refuse((self.fields["rows"] < 1) | (self.fields["first_row"] + self.fields["rows"] > slots),
                    f"{{rows}} rows from {{first_row}} on are not within the build's {slots}")

    def sequence(self) -> None:
        """Refuse a sequence that the pass has not."""
        self.within("sequence", self._listed.sequences - 1, 0)

    def sums(self, name: str, count: np.ndarray) -> None:
        """Refuse `count` sums from accumulator word `name` on, where there are not so many."""
        words, step = self.build.batch_words, self.build.outputs_per_step
        self.refuse(self.fields[name] + up(count, step) // step > words,
                    f"sums from accumulator word {{{name}}} on exceed the {words}")

    def channels(self, count: str, limits: Mapping[int, int]) -> None:
        """Refuse more channels than what they are of has. limits: by `source`."""
        self.within("source", max(limits), 0)
        most = np.array([limits[source] for source in sorted(limits)])[np.minimum(self.fields["source"], max(limits))]
        self.within(count, most)
        self.multiples(CHANNEL_UNIT, count)

    def attention_groups(self, source: int) -> None:
        """Refuse channels of attention, the given source, that are no whole groups."""
        groups = self.fields["group_channels"]
        wrong = (groups == 0) | (self.fields["count"] % np.maximum(groups, 1) != 0)
        self.refuse((self.fields["source"] == source) & wrong, "{count} channels are no groups of {group_channels}")

    def last_position(self) -> np.ndarray:
        """The largest that the sequences of the descriptors may have before the pass."""
        context = self._listed.context
        last = context - self._listed.rows_of[self.fields["sequence"]]
        self.refuse(last < 0, f"sequence {{sequence}} has more rows than the context's {context}")
        return np.maximum(last, 0)

    def within_context(self) -> None:
        """Refuse more tokens than the context has."""
        f = self.fields
        self.refuse(f["token"] + f["rows"] > self._listed.context, "more tokens than the context has")
