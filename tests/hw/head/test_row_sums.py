# amaranth: UnusedElaboratable=no
"""Row sums against NumPy's products: whole blocks and parts, rows in turn and listed, the largest sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw.boards.registry import BUILDS
from hw.head.row_sums import RowSums
from models.machine.layout import head_beats_used, head_stream
from sim.packing import Packing
from sim.runner import run_bench
from tests.hw.stream_table import Case, check

BUILD = replace(BUILDS["sim-tiny"], name="two rows", ports=1, rows=2, head_rows=2, hidden_max=64)


def _beats(data):
    return [int.from_bytes(beat.tobytes(), "little") for beat in np.asarray(data).reshape(-1, BUILD.beat_bytes)]


def _listed(rows, scales, ids, places, rng):
    """A beat of scales, in which the row's has its place, then the row's beats, row by row."""
    beats = []
    for id, place in zip(ids, places, strict=True):
        words = rng.integers(0, 1 << 32, BUILD.beat_bytes // 4, dtype=np.uint32)
        words[place] = scales[id]
        padded = np.zeros(-(-rows.shape[1] // BUILD.beat_bytes) * BUILD.beat_bytes, np.int8)
        padded[:rows.shape[1]] = rows[id]
        beats += [*_beats(words.view(np.uint8)), *_beats(padded.view(np.uint8))]
    return beats


def _case(name, rng, vocab, count, *, q=None, rows=None, listed=0):
    q = rng.integers(-32767, 32768, (2, count)) if q is None else q
    rows = (rng.integers(-128, 128, (vocab, count)) if rows is None else rows).astype(np.int8)
    scales = rng.integers(0, 1 << 32, vocab, dtype=np.uint32)
    ids = rng.permutation(vocab)[:listed] if listed else np.arange(vocab)
    places = rng.integers(0, BUILD.beat_bytes // 4, listed)
    stream = _listed(rows, scales, ids, places, rng) if listed else _beats(
        head_stream(rows, scales, BUILD)[:head_beats_used(vocab, count, BUILD) * BUILD.beat_bytes])
    padded = np.zeros((2, -(-count // BUILD.beat_bytes) * BUILD.beat_bytes), int)
    padded[:, :count] = q
    activations = [{"row": row, "index": index, "values": padded[row, index:index + BUILD.lanes]}
                   for row in range(2) for index in range(0, padded.shape[1], BUILD.lanes)]
    # a beat of the memory is read two cycles after it is written: the weights come after all
    weights = {"i_weights": stream}
    if listed:
        weights["i_rows"] = [{"id": id, "place": place} for id, place in zip(ids, places, strict=True)]
    sums = rows.astype(np.int64) @ q.T
    tags = [{"id": id, "scale": scales[id], "final": at == len(ids) - 1} for at, id in enumerate(ids)]
    return Case(name, inputs=[{"i_activations": activations}, weights],
                settings={"start": 1, "vocab": len(ids), "count": count, "listed": int(listed > 0)},
                outputs={"o": [{"tag": tag, "sums": sums[id]} for tag, id in zip(tags, ids, strict=True)]})


def test_sums():
    rng = np.random.default_rng(1)
    extremes = np.array([[-32768] * 64, [32767] * 64])
    signs = np.repeat([[-128], [127], [-1], [0], [1]], 64, axis=1)
    check(RowSums(BUILD), [
        _case("whole blocks", rng, 8, 32), _case("parts of a block", rng, 37, 17), _case("one row", rng, 1, 1),
        _case("one beat a row", rng, 6, 16), _case("largest", rng, 5, 64, q=extremes, rows=signs),
        _case("listed", rng, 50, 40, listed=21), _case("one listed", rng, 9, 16, listed=1),
        _case("listed beats", rng, 30, 3, listed=30)])


def test_rows_wait_for_room():
    """More rows of one beat than have room, and nobody who takes them."""
    unit, case = RowSums(BUILD), _case("many", np.random.default_rng(2), 60, 16)
    activations, weights = case.inputs
    shapes = {port: unit.signature.members[port].signature.members["payload"].shape for port in ("i_activations", "o")}
    run_bench(unit, "tests.hw.head.row_sums_bench", {
        "settings": {name: value for name, value in case.settings.items() if name != "start"}, **weights,
        "i_activations": [Packing.of(shapes["i_activations"]).pack(word) for word in activations["i_activations"]],
        "o": [Packing.of(shapes["o"]).pack(row) for row in case.outputs["o"]]})
