"""STREAM, and the MATMUL and LOGITS that consume streams: each by itself, and which goes with which."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.compiler.rules.listed_pass import ListedPass, up
from host.compiler.rules.operation import Operation
from models.machine.build import BURST_BEATS, CHANNEL_UNIT, PORT_BYTES, SHORTLIST, BuildParameters
from models.machine.descriptor import Opcode
from models.ternary_groups import GROUP

__all__ = ["logits", "match_streams", "matmul", "stream"]

AHEAD = 6  # matrices that a stream is listed before its consumer, at most


def stream(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    beat, burst = build.beat_bytes, PORT_BYTES * BURST_BEATS
    operation.refuse(f["address"] % burst != 0, f"its address of {{address}} is no multiple of {burst}")
    operation.refuse((f["beats"] == 0) | (f["beats"] % BURST_BEATS != 0), "{beats} beats are no whole bursts")
    operation.refuse((f["listed"] > 0) & ((f["head"] == 0) | (f["row_beats"] == 0)), "rows are listed, not of a head")
    operation.refuse(f["listed"] > SHORTLIST, f"{{listed}} listed rows exceed {SHORTLIST}")
    operation.refuse(f["row"] >= build.slots, "there is no row {row}")
    operation.refuse(f["row_beats"] > -(-build.hidden_max // beat), "no row has {row_beats} beats")
    operation.inside(f["address"], f["address"] + f["beats"] * beat, "it reads")


def matmul(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    inputs = np.where(f["grouped"] > 0, f["tiles"] * GROUP, (f["tiles"] - 1) * build.tile_inputs + 1)
    operation.refuse((f["tiles"] < 1) | (inputs > build.inputs_max), f"{{tiles}} tiles are not 1 to those of "
                                                                     f"{build.inputs_max} inputs")
    operation.within("outputs", 1 << 16)
    operation.multiples(build.outputs_align, "outputs")
    operation.refuse(f["padding"] >= f["outputs"], "all of its {outputs} outputs are padding")
    operation.sums("accumulator", f["outputs"] - f["padding"])
    batches = (f["first_row"] + f["rows"] - 1) // build.rows - f["first_row"] // build.rows + 1
    operation.refuse((f["batches"] < 1) | (f["batches"] > build.row_batches) | (f["batches"] != batches),
                     "its rows {first_row} to {first_row} + {rows} are not those of {batches} batches")
    if operation.tiles:
        operation.refuse((f["batches"] > 1) & (f["outputs"] > build.weight_buffer_steps * build.outputs_per_step),
                         "a tile of its {outputs} outputs does not stay for {batches} batches")
        operation.refuse(f["grouped"] > 0, "the build takes no scales by group")


def logits(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    operation.within("count", build.hidden_max)
    operation.within("vocab", 1 << 24)
    operation.within("k", np.minimum(build.top_k, f["vocab"]))
    operation.refuse(f["rows"] > build.head_rows, f"{{rows}} rows for a head of {build.head_rows}")
    operation.refuse((f["listed"] > 0) & (f["write_logits"] > 0), "logits of listed rows are not written")
    operation.refuse((f["grouped"] > 0) & operation.tiles, "the build takes no scales by group")
    operation.multiples(PORT_BYTES, "logits", "top")
    padded = np.where(f["write_logits"] > 0, f["rows"] * up(f["vocab"], CHANNEL_UNIT) * 4, 0)
    start = np.where(f["write_logits"] > 0, f["logits"], operation.base)
    operation.inside(start, start + padded, "it writes logits at")
    operation.inside(f["top"], f["top"] + (f["rows"] - 1) * build.top_k * 8 + f["k"] * 8, "it writes its list at")


def match_streams(listed: ListedPass) -> None:
    """The k-th matrix takes the k-th stream: listed before it, not too far, of its kind and size."""
    streams, fields = listed.chosen.get(Opcode.STREAM, (np.zeros(0, np.int64), {}))
    consumers = [(index, opcode, n) for opcode in (Opcode.MATMUL, Opcode.LOGITS) if opcode in listed.chosen
                 for n, index in enumerate(listed.chosen[opcode][0])]
    consumers.sort()
    places = np.array([index for index, *_ in consumers], np.int64)
    for n, index in enumerate(places[:len(streams)]):
        if index < streams[n]:
            listed.note(index, "its stream is listed behind it")
    if len(places) > len(streams):
        listed.note(places[len(streams)], "it has no stream to consume")
    elif len(streams) > len(places):
        listed.note(streams[len(places)], "nothing consumes it")
    ahead = np.arange(len(streams)) - np.searchsorted(places, streams)
    for n in np.flatnonzero(ahead > AHEAD)[:1]:
        listed.note(streams[n], f"it is listed {ahead[n]} matrices before its consumer, at most {AHEAD} are allowed")
    for n, (index, opcode, place) in enumerate(consumers[:len(streams)]):
        wrong = _mismatch({name: int(column[n]) for name, column in fields.items()}, opcode,
                          {name: int(column[place]) for name, column in listed.chosen[opcode][1].items()},
                          listed.build)
        if wrong:
            listed.note(index, wrong)


def _mismatch(brought: Mapping[str, int], opcode: Opcode, f: Mapping[str, int], build: BuildParameters) -> str:
    """What a stream lacks for what consumes it, "" for nothing."""
    tiles = build.packing == "tiles"
    if brought["head"] != (opcode == Opcode.LOGITS):
        return "its stream is of another kind"
    if brought["listed"] != (f["vocab"] if opcode == Opcode.LOGITS and f["listed"] else 0):
        return f"its stream has {brought['listed']} listed rows"
    if tiles and not brought["listed"]:
        used = f["tiles"] * f["outputs"] * 3 // 10 if opcode == Opcode.MATMUL else _head_beats(f, build)
        if brought["beats"] - brought["padding"] != used:
            return f"it takes {used} beats, its stream has {brought['beats'] - brought['padding']}"
    elif tiles and brought["row_beats"] != -(-f["count"] // build.beat_bytes):
        return f"its stream's rows have {brought['row_beats']} beats for {f['count']} channels"
    return ""


def _head_beats(f: Mapping[str, int], build: BuildParameters) -> int:
    rows = build.beat_bytes // 4
    return -(-f["vocab"] // rows) * (1 + rows * -(-f["count"] // build.beat_bytes))
