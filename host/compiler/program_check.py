"""What a list of descriptors may not be, whoever wrote it: checked before a device is given it.

By docs/program.md alone, so that what the compiler lists, what the fabric refuses and this agree by no common mistake.
All descriptors of an operation are checked at once, in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.errors import DeviceError
from models.machine.build import BURST_BEATS, CHANNEL_UNIT, HEAD_UNIT, PORT_BYTES, SHORTLIST, BuildParameters
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, VALUE_SCALES, chunk_bytes
from models.machine.descriptor import (
    DESCRIPTOR_BYTES,
    HEADER,
    OPCODES,
    SEMAPHORES,
    STEP_BYTES,
    Field,
    LoadTarget,
    NormSource,
    Opcode,
    StoreSource,
)
from models.machine.registers import SEQUENCES
from models.ternary_groups import GROUP

__all__ = ["check_program"]

AHEAD = 6  # matrices that a stream is listed before its consumer, at most
_CHANNEL_BYTES = {LoadTarget.RESIDUAL: 4, LoadTarget.GAIN: 2, LoadTarget.TAP: 8, LoadTarget.ROPE: 2,
                  LoadTarget.INPUT: 2, LoadTarget.HEAD_INPUT: 2, LoadTarget.STEP: STEP_BYTES, LoadTarget.AFFINE: 4}
_LINE = 4  # int32 or scale words in memory
_Fields = Mapping[str, np.ndarray]


def check_program(raw: bytes | np.ndarray, build: BuildParameters, *, base: int, size: int, context: int,
                  sequences: int = 1) -> None:
    """`DeviceError`, with the descriptor's number and operation, where one of a pass is not what it may be.

    raw: the descriptors of all programs of a pass, one after another. base, size: the buffer, outside which nothing
    may lie at any positions of the `sequences` sequences that leave the pass within `context` tokens.
    """
    _Check(raw, build, base, size, context, sequences).run()


def _column(words: np.ndarray, field: Field) -> np.ndarray:
    """A field of every descriptor, int64 [n]. words: uint64 [n, 17]."""
    at, shift = divmod(field.offset, 32)
    both = words[:, at] | words[:, at + 1] << np.uint64(32)
    return (both >> np.uint64(shift) & np.uint64((1 << field.width) - 1)).astype(np.int64)


def _up(value: np.ndarray, unit: int) -> np.ndarray:
    return -(-value // unit) * unit


class _Check:
    def __init__(self, raw: bytes | np.ndarray, build: BuildParameters, base: int, size: int, context: int,
                 sequences: int):
        self._build, self._base, self._end = build, base, base + size
        self._context, self._sequences = context, sequences
        words = np.frombuffer(raw, "<u4").reshape(-1, DESCRIPTOR_BYTES // 4)
        self._words = np.pad(words, ((0, 0), (0, 1))).astype(np.uint64)
        self._header = {field.name: _column(self._words, field) for field in HEADER}
        self._tiles = build.packing == "tiles"
        self._first: tuple[int, str] | None = None  # what is wrong with the first descriptor that is
        self._chosen: dict[Opcode, tuple[np.ndarray, _Fields]] = {}

    def run(self) -> None:
        known = np.zeros(len(self._words), bool)
        for opcode, made in OPCODES.items():
            mine = (self._header["opcode"] == opcode) & (self._header["engine"] == made.engine)
            known |= mine
            if mine.any():
                words = self._words[mine]
                self._chosen[opcode] = np.flatnonzero(mine), {f.name: _column(words, f) for f in made.fields}
        for index in np.flatnonzero(~known)[:1]:
            found = {name: int(self._header[name][index]) for name in ("opcode", "engine")}
            self._note(index, f"opcode {found['opcode']} for engine {found['engine']} is unknown")
        self._rows_of = self._rows_of_sequences()
        checks = {Opcode.STREAM: self._stream, Opcode.LOAD: self._load, Opcode.MATMUL: self._matmul,
                  Opcode.NORM: self._norm, Opcode.QUERY: self._heads, Opcode.KEY: self._cached,
                  Opcode.VALUE: self._cached, Opcode.RESIDUAL: self._residual, Opcode.ATTEND: self._attend,
                  Opcode.LOGITS: self._logits, Opcode.SELECT: self._select, Opcode.STORE: self._store}
        for operation, chosen in self._chosen.items():
            self._index, self._f = chosen
            if "rows" in self._f:
                self._rows()
            if "sequence" in self._f:
                self._within("sequence", self._sequences - 1, 0)
            checks[operation]()
        self._semaphores()
        self._streams()
        if self._first is not None:
            index, what = self._first
            names = {int(opcode): opcode.name for opcode in Opcode}
            name = names.get(int(self._header["opcode"][index]), "none")
            raise DeviceError(f"descriptor {index} of a program ({name}): {what}")

    def _note(self, index: int, what: str) -> None:
        if self._first is None or index < self._first[0]:
            self._first = int(index), what

    def _refuse(self, wrong: np.ndarray | bool, what: str) -> None:
        """Note the first of the operation's descriptors that is wrong. what: with its fields in braces."""
        for n in np.flatnonzero(np.broadcast_to(wrong, self._index.shape))[:1]:
            self._note(self._index[n], what.format_map({name: int(column[n]) for name, column in self._f.items()}))

    def _inside(self, start: np.ndarray, end: np.ndarray, what: str) -> None:
        """Refuse what touches bytes `start` to `end` - 1 where they leave the buffer."""
        outside = (start < self._base) | (end > self._end)
        for n in np.flatnonzero(outside)[:1]:
            self._note(self._index[n], f"{what} {int(start[n]):#x} to {int(end[n]):#x}, outside the buffer at "
                                       f"{self._base:#x} to {self._end:#x}")

    def _multiples(self, unit: int, *names: str) -> None:
        if self._tiles:
            for name in names:
                self._refuse(self._f[name] % unit != 0, f"its {name} of {{{name}}} is no multiple of {unit}")

    def _within(self, name: str, most: np.ndarray | int, least: int = 1) -> None:
        wrong = (self._f[name] > most) | (self._f[name] < least)
        limit = f"{least} to {most}" if isinstance(most, int) else f"from {least} to the build's limit"
        self._refuse(wrong, f"its {name} of {{{name}}} is not {limit}")

    def _rows(self) -> None:
        slots = self._build.slots
        self._refuse((self._f["rows"] < 1) | (self._f["first_row"] + self._f["rows"] > slots),
                     f"{{rows}} rows from {{first_row}} on are not within the build's {slots}")

    def _sums(self, name: str, count: np.ndarray) -> None:
        """Sums from accumulator word `name` on."""
        words = self._build.batch_words
        self._refuse(self._f[name] + _up(count, self._build.outputs_per_step) // self._build.outputs_per_step > words,
                     f"sums from accumulator word {{{name}}} on exceed the {words}")

    def _semaphores(self) -> None:
        """Each is given before it is taken, in list order."""
        bits = np.arange(SEMAPHORES)
        waits, gives = (self._header[name][:, None] >> bits & 1 for name in ("wait", "signal"))
        left = np.cumsum(gives, axis=0) - gives - np.cumsum(waits, axis=0)
        for index, semaphore in np.argwhere(left < 0)[:1]:
            self._note(index, f"it waits for semaphore {semaphore}, given by no one")

    def _streams(self) -> None:
        """The k-th matrix takes the k-th stream: listed before it, not too far, of its kind and size."""
        none = np.zeros(0, np.int64)
        streams, fields = self._chosen.get(Opcode.STREAM, (none, {}))
        consumers = [(index, opcode, n) for opcode in (Opcode.MATMUL, Opcode.LOGITS) if opcode in self._chosen
                     for n, index in enumerate(self._chosen[opcode][0])]
        consumers.sort()
        places = np.array([index for index, *_ in consumers], np.int64)
        for n, index in enumerate(places[:len(streams)]):
            if index < streams[n]:
                self._note(index, "its stream is listed behind it")
        if len(places) > len(streams):
            self._note(places[len(streams)], "it has no stream to consume")
        elif len(streams) > len(places):
            self._note(streams[len(places)], "nothing consumes it")
        ahead = np.arange(len(streams)) - np.searchsorted(places, streams)
        for n in np.flatnonzero(ahead > AHEAD)[:1]:
            self._note(streams[n], f"it is listed {ahead[n]} matrices before its consumer, at most {AHEAD} are allowed")
        for n, (index, opcode, place) in enumerate(consumers[:len(streams)]):
            self._match({name: int(column[n]) for name, column in fields.items()}, index, opcode,
                        {name: int(column[place]) for name, column in self._chosen[opcode][1].items()})

    def _match(self, stream: Mapping[str, int], index: int, opcode: Opcode, f: Mapping[str, int]) -> None:
        """A stream and what consumes it."""
        build = self._build
        if stream["head"] != (opcode == Opcode.LOGITS):
            self._note(index, "its stream is of another kind")
        elif stream["listed"] != (f["vocab"] if opcode == Opcode.LOGITS and f["listed"] else 0):
            self._note(index, f"its stream has {stream['listed']} listed rows")
        elif self._tiles and not stream["listed"]:
            used = f["tiles"] * f["outputs"] * 3 // 10 if opcode == Opcode.MATMUL else self._head_beats(f)
            if stream["beats"] - stream["padding"] != used:
                self._note(index, f"it takes {used} beats, its stream has {stream['beats'] - stream['padding']}")
        elif self._tiles and stream["row_beats"] != -(-f["count"] // build.beat_bytes):
            self._note(index, f"its stream's rows have {stream['row_beats']} beats for {f['count']} channels")

    def _head_beats(self, f: Mapping[str, int]) -> int:
        rows = self._build.beat_bytes // 4
        return -(-f["vocab"] // rows) * (1 + rows * -(-f["count"] // self._build.beat_bytes))

    def _rows_of_sequences(self) -> np.ndarray:
        """Of each sequence, the rows that the pass has."""
        rows = np.zeros(SEQUENCES, np.int64)
        for opcode in (Opcode.KEY, Opcode.VALUE, Opcode.ATTEND):
            if opcode in self._chosen:
                f = self._chosen[opcode][1]
                np.maximum.at(rows, f["sequence"], f["token"] + f["rows"])
        if Opcode.LOAD in self._chosen:
            f = self._chosen[Opcode.LOAD][1]
            strides = f["address_stride"]
            np.maximum.at(rows, f["sequence"], np.where(strides > 0, f["bytes"] // np.maximum(strides, 1), 0))
        return rows

    def _last_position(self) -> np.ndarray:
        """The largest that the sequences of the operation's descriptors may have before the pass."""
        last = self._context - self._rows_of[self._f["sequence"]]
        self._refuse(last < 0, f"sequence {{sequence}} has more rows than the context's {self._context}")
        return np.maximum(last, 0)

    def _stream(self) -> None:
        f, beat, burst = self._f, self._build.beat_bytes, PORT_BYTES * BURST_BEATS
        self._refuse(f["address"] % burst != 0, f"its address of {{address}} is no multiple of {burst}")
        self._refuse((f["beats"] == 0) | (f["beats"] % BURST_BEATS != 0), "{beats} beats are no whole bursts")
        self._refuse((f["listed"] > 0) & ((f["head"] == 0) | (f["row_beats"] == 0)), "rows are listed, not of a head")
        self._refuse(f["listed"] > SHORTLIST, f"{{listed}} listed rows exceed {SHORTLIST}")
        self._refuse(f["row"] >= self._build.slots, "there is no row {row}")
        self._refuse(f["row_beats"] > -(-self._build.hidden_max // beat), "no row has {row_beats} beats")
        self._inside(f["address"], f["address"] + f["beats"] * beat, "it reads")

    def _load(self) -> None:
        f, build = self._f, self._build
        self._within("target", max(LoadTarget), 0)
        self._multiples(PORT_BYTES, "address", "address_stride")
        target = np.minimum(f["target"], max(LoadTarget))
        per = np.array([_CHANNEL_BYTES[t] for t in sorted(LoadTarget)])[target]
        room = {LoadTarget.RESIDUAL: build.slots * build.hidden_max, LoadTarget.ROPE: build.slots * build.head_dim_max,
                LoadTarget.HEAD_INPUT: build.hidden_max, LoadTarget.STEP: build.slots}
        rooms = np.array([room.get(t, _up(build.inputs_max, CHANNEL_UNIT)) for t in sorted(LoadTarget)])[target]
        first = np.where(target == LoadTarget.STEP, f["row"], f["offset"])
        self._refuse((f["bytes"] == 0) | (first + f["bytes"] // per > rooms),
                     "{bytes} bytes from element {offset}, row {row} on do not fit its memory {target}")
        rows = np.where(target == LoadTarget.HEAD_INPUT, build.head_rows, build.slots)
        self._refuse(f["row"] >= rows, "there is no row {row}")
        end = f["address"] + self._last_position() * f["address_stride"] + f["bytes"]
        self._inside(f["address"], end, "it reads")

    def _matmul(self) -> None:
        f, build = self._f, self._build
        inputs = np.where(f["grouped"] > 0, f["tiles"] * GROUP, (f["tiles"] - 1) * build.tile_inputs + 1)
        self._refuse((f["tiles"] < 1) | (inputs > build.inputs_max), f"{{tiles}} tiles are not 1 to those of "
                                                                     f"{build.inputs_max} inputs")
        self._within("outputs", 1 << 16)
        self._multiples(build.outputs_align, "outputs")
        self._refuse(f["padding"] >= f["outputs"], "all of its {outputs} outputs are padding")
        self._sums("accumulator", f["outputs"] - f["padding"])
        batches = (f["first_row"] + f["rows"] - 1) // build.rows - f["first_row"] // build.rows + 1
        self._refuse((f["batches"] < 1) | (f["batches"] > build.row_batches) | (f["batches"] != batches),
                     "its rows {first_row} to {first_row} + {rows} are not those of {batches} batches")
        if self._tiles:
            self._refuse((f["batches"] > 1) & (f["outputs"] > build.weight_buffer_steps * build.outputs_per_step),
                         "a tile of its {outputs} outputs does not stay for {batches} batches")
            self._refuse(f["grouped"] > 0, "the build takes no scales by group")

    def _channels(self, count: str, limits: Mapping[int, int]) -> None:
        """Channels by what they are of."""
        self._within("source", max(limits), 0)
        most = np.array([limits[source] for source in sorted(limits)])[np.minimum(self._f["source"], max(limits))]
        self._within(count, most)
        self._multiples(CHANNEL_UNIT, count)

    def _attention_groups(self, source: int) -> None:
        groups = self._f["group_channels"]
        wrong = (groups == 0) | (self._f["count"] % np.maximum(groups, 1) != 0)
        self._refuse((self._f["source"] == source) & wrong, "{count} channels are no groups of {group_channels}")

    def _norm(self) -> None:
        f, build = self._f, self._build
        self._channels("count", {NormSource.RESIDUAL: build.hidden_max, NormSource.GATED: build.inputs_max,
                                 NormSource.ATTENTION: build.attention_channels})
        self._attention_groups(NormSource.ATTENTION)
        sums = np.where(f["source"] == NormSource.GATED, f["count"], 0)
        for name in ("gate_accumulator", "up_accumulator"):
            self._sums(name, sums)
        self._refuse((f["levels16"] > 0) & (f["rows"] > build.head_rows),
                     f"{{rows}} rows for a head of {build.head_rows}")

    def _heads(self) -> None:
        f, build = self._f, self._build
        self._within("dim", build.head_dim_max)
        self._within("heads", build.heads_max)
        self._multiples(HEAD_UNIT, "dim")
        channels = f["heads"] * f["dim"]
        self._refuse(channels > build.attention_channels,
                     f"{{heads}} heads of {{dim}} channels exceed the build's {build.attention_channels}")
        if "accumulator" in f:
            self._sums("accumulator", channels)
        if self._tiles and "normed" in f:
            self._refuse(f["normed"] > 0, "the build takes no norms of heads")

    def _cached(self) -> None:
        """KEY and VALUE."""
        f = self._f
        self._heads()
        self._multiples(PORT_BYTES, "address", "address_stride", "head_bytes", "region_bytes", "block_bytes",
                        "scale_address", "scale_block_bytes")
        tokens = self._last_position() + f["token"] + f["rows"]
        self._refuse(f["token"] + f["rows"] > self._context, "more tokens than the context has")
        self._cache("address", tokens, f["address_stride"], f["block_bytes"], f["region_bytes"], "it writes")
        stride = np.full_like(tokens, _LINE)
        self._cache("scale_address", tokens, stride, f["scale_block_bytes"], None, "it writes scales at")

    def _cache(self, name: str, tokens: np.ndarray, stride: np.ndarray, block: np.ndarray, region: np.ndarray | None,
               what: str) -> None:
        """`tokens` entries a head from the address `name` on; region: between chunks of a row, None for scales."""
        f, build = self._f, self._build
        last = tokens - 1
        whole, rest = last // BLOCK_TOKENS, last % BLOCK_TOKENS
        furthest = np.maximum(whole * block + rest * stride,
                              np.where(whole > 0, (whole - 1) * block + (BLOCK_TOKENS - 1) * stride, 0))
        size = np.full_like(tokens, _LINE) if region is None else f["dim"] * build.kv.bits // 8
        if region is not None and self._tiles:
            chunk = chunk_bytes(build.ports)
            furthest, size = furthest + (_up(size, chunk) // chunk - 1) * region, np.full_like(size, chunk)
        end = f[name] + furthest + size + (f["heads"] - 1) * f["head_bytes"]
        self._inside_cache(f[name], end, what)

    def _inside_cache(self, start: np.ndarray, end: np.ndarray, what: str) -> None:
        """Logical addresses: in a build of several ports, anywhere in the groups of bursts that they lie in."""
        if self._tiles:
            align = self._build.stream_align
            start, end = start // align * align, _up(end, align)
        self._inside(start, end, what)

    def _attend(self) -> None:
        f, build = self._f, self._build
        self._heads()
        group = f["heads"] // np.maximum(f["kv_heads"], 1)
        self._refuse((f["kv_heads"] == 0) | (group * f["kv_heads"] != f["heads"]) | (group > build.group_max),
                     f"{{heads}} heads on {{kv_heads}} are no groups of at most {build.group_max}")
        self._refuse(f["row_bytes"] < build.kv.bytes_of(f["dim"]), "{row_bytes} bytes do not hold {dim} channels")
        tokens, behind = self._last_position() + f["token"] + f["rows"], (f["kv_heads"] - 1) * f["head_bytes"]
        whole, rest = tokens // BLOCK_TOKENS, tokens % BLOCK_TOKENS
        if not self._tiles:
            for name, stride in (("key_scales", _LINE), ("value_scales", _LINE), ("keys", f["row_bytes"]),
                                 ("values", f["row_bytes"])):
                self._inside(f[name], f[name] + behind + tokens * stride, f"it reads {name} at")
            return
        beat, align, chunk = build.beat_bytes, build.stream_align, chunk_bytes(build.ports)
        self._multiples(align, "key_scales", "values", "head_bytes", "region_bytes")
        self._multiples(PORT_BYTES, "row_bytes", "block_bytes")
        apart = (f["value_scales"] != f["key_scales"] + VALUE_SCALES) | (f["keys"] != f["key_scales"] + HEADER_BYTES)
        self._refuse(apart, "scales and keys do not lie in one block")
        keys = whole * f["block_bytes"] + np.where(rest > 0, HEADER_BYTES + _up(rest * f["row_bytes"], beat), 0)
        self._inside_cache(f["key_scales"], f["key_scales"] + behind + keys, "it reads keys at")
        chunks = _up(build.kv.bytes_of(f["dim"]), chunk) // chunk
        values = (chunks - 1) * f["region_bytes"] + _up(tokens * chunk, beat)
        self._inside_cache(f["values"], f["values"] + behind + values, "it reads values at")

    def _residual(self) -> None:
        self._within("count", self._build.hidden_max)
        self._multiples(CHANNEL_UNIT, "count")
        self._sums("accumulator", self._f["count"])

    def _logits(self) -> None:
        f, build = self._f, self._build
        self._within("count", build.hidden_max)
        self._within("vocab", 1 << 24)
        self._within("k", np.minimum(build.top_k, f["vocab"]))
        self._refuse(f["rows"] > build.head_rows, f"{{rows}} rows for a head of {build.head_rows}")
        self._refuse((f["listed"] > 0) & (f["write_logits"] > 0), "logits of listed rows are not written")
        self._refuse((f["grouped"] > 0) & self._tiles, "the build takes no scales by group")
        self._multiples(PORT_BYTES, "logits", "top")
        padded = np.where(f["write_logits"] > 0, f["rows"] * _up(f["vocab"], CHANNEL_UNIT) * 4, 0)
        start = np.where(f["write_logits"] > 0, f["logits"], self._base)
        self._inside(start, start + padded, "it writes logits at")
        self._inside(f["top"], f["top"] + (f["rows"] - 1) * build.top_k * 8 + f["k"] * 8, "it writes its list at")

    def _select(self) -> None:
        f = self._f
        self._within("count", min(self._build.inputs_max, self._build.batch_words * self._build.outputs_per_step))
        self._within("k", SHORTLIST)
        self._sums("accumulator", f["count"])
        self._refuse(f["first_id"] + f["count"] > 1 << 24, "ids from {first_id} on exceed 24 bits")

    def _store(self) -> None:
        f, build = self._f, self._build
        self._channels("count", {StoreSource.RESIDUAL: build.hidden_max, StoreSource.SUMS: build.inputs_max,
                                 StoreSource.ATTENTION: build.attention_channels})
        self._attention_groups(StoreSource.ATTENTION)
        self._multiples(PORT_BYTES, "address", "steps")
        self._sums("accumulator", np.where(f["source"] == StoreSource.SUMS, f["count"], 0))
        self._inside(f["address"], f["address"] + f["rows"] * f["count"] * 4, "it writes")
        steps = np.where(f["source"] == StoreSource.RESIDUAL, self._base, f["steps"])
        self._inside(steps, steps + np.where(f["source"] == StoreSource.RESIDUAL, 0, f["rows"] * STEP_BYTES),
                     "it writes steps at")
