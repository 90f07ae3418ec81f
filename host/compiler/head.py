"""The descriptors behind the last layer: logits of all rows of the vocabulary, or of a shortlist."""

from __future__ import annotations

from collections.abc import Sequence

from host.compiler.cuts import Cut
from host.compiler.descriptor_list import Semaphore
from host.compiler.pass_context import PassContext
from host.compiler.rows import Group
from host.compiler.stops import StopSteps
from host.compiler.streams_ahead import Stream, StreamsAhead
from host.compiler.vocabulary import Chunk
from models.golden.model import TapPoint
from models.machine.build import SHORTLIST
from models.machine.descriptor import LoadTarget, NormSource, Opcode
from models.machine.layout import head_beats, head_beats_used, tile_count, weight_beats, weight_beats_used

__all__ = ["Head"]


class Head:
    """The head for `rows` of the pass.

    groups: those of all rows of the pass. chunks: of the head's ternary copy, where a shortlist is to be scored; none:
    all rows of the vocabulary are. stop: the one right before it; its inputs come instead of norms.
    """

    def __init__(self, context: PassContext, rows: range, groups: Sequence[Group], *, chunks: Sequence[Chunk],
                 write_logits: bool, stop: Cut | None = None):
        self._context, self._rows, self._chunks, self._write_logits = context, rows, chunks, write_logits
        self._model, self._build, self._config = context.model, context.build, context.config
        self._list, self._address, self._norm = context.list, context.address, context.norm
        self._choosing = [(max(group.first_row, rows.start), group.first_row + group.rows) for group in groups
                          if group.first_row + group.rows > rows.start] if chunks and rows else []
        self._stops, self._given = StopSteps(context), stop is not None and stop.inputs
        self._waits = (Semaphore.RESIDUAL_LOADED,) if stop is not None and stop.residual else ()

    def streams(self) -> list[Stream]:
        """The streams that go ahead of their use; listed rows do not."""
        context, hidden, build = self._context, self._config.hidden_size, self._build
        found = []
        for chunk in [chunk for _ in self._choosing for chunk in self._chunks]:
            beats = weight_beats(chunk.rows, hidden, build)
            padding = beats - weight_beats_used(chunk.rows, hidden, build)
            found.append(Stream(context.address(chunk.name), beats, padding))
        if self._rows and not self._chunks:
            shape, grouped = (self._config.vocab_size, hidden, build), self._config.grouped_tables
            beats = head_beats(*shape, grouped=grouped)
            head = Stream(context.address("head"), beats, beats - head_beats_used(*shape, grouped=grouped), head=True)
            found += [head] * len(self._rows[::build.head_rows])
        return found

    def add(self, streams: StreamsAhead) -> None:
        """List the head."""
        self._streams = streams
        if self._chunks:
            self._shortlist_logits()
        else:
            for first in self._rows[::self._build.head_rows]:
                self._all_logits(first, min(self._build.head_rows, self._rows.stop - first))

    def _all_logits(self, first_row: int, rows: int) -> None:
        """The head for as many rows as it takes at a time."""
        self._head_norm(first_row, rows)
        self._streams.use()
        self._best(first_row, rows, vocab=self._config.vocab_size, listed=0)

    def _head_norm(self, first_row: int, rows: int, *, exact: bool = True) -> None:
        """The head's input, with 32,767 levels where the logits are to be exact, else for a matrix product."""
        wait = (Semaphore.HEAD_FREE,) if exact and first_row > self._rows.start else ()
        if self._given:
            if exact:
                self._stops.load_head_inputs(first_row, rows, wait=wait)
            else:
                self._stops.load_inputs(first_row, rows, self._config.hidden_size)
            return
        wait, self._waits = (*self._waits, *wait), ()
        self._norm("gain.final", self._model.final_gains, NormSource.RESIDUAL, self._config.hidden_size,
                   levels16=int(exact), point=TapPoint(self._config.layers, "head"), wait=wait,
                   signal=(Semaphore.HEAD_READY if exact else Semaphore.ACTIVATIONS_READY,), first_row=first_row,
                   rows=rows)

    def _best(self, first_row: int, rows: int, *, vocab: int, listed: int) -> None:
        index = first_row - self._rows.start
        self._list.add(Opcode.LOGITS, wait=(Semaphore.HEAD_READY,),
                       signal=(Semaphore.HEAD_FREE,) if first_row + rows < self._rows.stop else (), vocab=vocab,
                       first_row=first_row, rows=rows, count=self._config.hidden_size, k=min(self._build.top_k, vocab),
                       write_logits=int(self._write_logits), listed=listed, grouped=int(self._config.grouped_tables),
                       logits=self._address("logits") + index * -(-self._config.vocab_size // 4) * 16,
                       top=self._address("top") + index * self._build.top_k * 8)

    def _shortlist_logits(self) -> None:
        """The shortlists of all rows, group by group; then the logits of their ids, row by row."""
        for first, end in self._choosing:
            self._head_norm(first, end - first, exact=False)
            for chunk in self._chunks:
                self._choose(chunk, first, end)
        vocab, hidden = self._config.vocab_size, self._config.hidden_size
        listed = min(SHORTLIST, vocab)
        for row in self._rows:
            self._head_norm(row, 1)
            # listed behind all SELECTs: while it waits for the lists, none of those is held up
            self._list.add(Opcode.STREAM, wait=() if row > self._rows.start else (Semaphore.LIST_READY,),
                           address=self._address("head"), beats=head_beats(vocab, hidden, self._build), padding=0,
                           head=1, listed=listed, row=row, row_beats=-(-hidden // self._build.beat_bytes))
            self._best(row, 1, vocab=listed, listed=1)

    def _choose(self, chunk: Chunk, first: int, end: int) -> None:
        """Offer a chunk's rows to the lists of rows `first` .. `end` - 1; chunks take turns at halves of the sums."""
        half, rows = self._build.batch_words // 2, {"first_row": first, "rows": end - first}
        padded, last = self._build.padded_outputs(chunk.rows), chunk == self._chunks[-1]
        loaded = self._list.load_vector(LoadTarget.GAIN, chunk.scales_name, self._address(chunk.scales_name),
                                        chunk.scales_bytes)
        self._streams.use()
        waits = {0: (Semaphore.ACTIVATIONS_READY,), 1: ()}.get(chunk.number, (Semaphore.SUMS_FREE,))
        self._list.add(Opcode.MATMUL, wait=waits, signal=(Semaphore.SUMS_READY,),
                       tiles=tile_count(self._config.hidden_size, self._build), outputs=padded,
                       accumulator=chunk.number % 2 * half, batches=1, padding=padded - chunk.rows, grouped=0,
                       group_shift=0, **rows)
        signals = [Semaphore.SUMS_FREE] * (chunk.number + 2 < len(self._chunks))
        if last and end == self._rows.stop:
            signals.append(Semaphore.LIST_READY)
        self._list.add(Opcode.SELECT, wait=(Semaphore.SUMS_READY, *loaded), signal=signals, reads=(LoadTarget.GAIN,),
                       count=chunk.rows, accumulator=chunk.number % 2 * half, first_id=chunk.first,
                       k=min(SHORTLIST, self._config.vocab_size), begin=int(not chunk.number), **rows)
