import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.boards.registry import BUILDS
from models.machine.layout import head_beats, head_stream, stripe, unstripe, weight_beats, weight_stream

TILED = [dataclasses.replace(BUILDS["sim-tiny"], ports=ports) for ports in (1, 2, 4)]


@given(st.sampled_from(TILED), st.integers(1, 60), st.integers(1, 250), st.integers(0, 99))
def test_weight_stream_holds_tiles_of_outputs(build, outputs, inputs, seed):
    trits = np.random.default_rng(seed).integers(-1, 2, (outputs, inputs)).astype(np.int8)
    stream = weight_stream(trits, build)
    assert stream.size == weight_beats(outputs, inputs, build) * build.beat_bytes
    assert stream.size % build.stream_align == 0
    digits = np.array([(byte // 3**j) % 3 for byte in stream.tolist() for j in range(5)]) - 1
    padded = build.padded_outputs(outputs)
    for n, k in [(0, 0), (outputs - 1, inputs - 1), (outputs // 2, inputs // 3)]:
        tile, within = divmod(k, build.tile_inputs)
        assert digits[(tile * padded + n) * build.tile_inputs + within] == trits[n, k]
    assert np.abs(digits).sum() == np.abs(trits).sum()  # padding is zero trits


@pytest.mark.parametrize("shape", [((1536, 1536), 1.61), ((2560, 6912), 1.605), ((6912, 2560), 1.63)])
def test_bits_a_weight(shape):
    (outputs, inputs), limit = shape
    beats = weight_beats(outputs, inputs, BUILDS["kv260"])
    assert beats * BUILDS["kv260"].beat_bytes * 8 / (outputs * inputs) < limit


@given(st.sampled_from(TILED), st.integers(1, 30), st.integers(1, 100), st.integers(0, 99))
def test_head_stream_holds_scales_then_rows(build, vocab, count, seed):
    rng = np.random.default_rng(seed)
    rows, scales = rng.integers(-127, 128, (vocab, count)).astype(np.int8), rng.integers(0, 2**32, vocab, np.uint32)
    stream = head_stream(rows, scales, build)
    assert stream.size == head_beats(vocab, count, build) * build.beat_bytes
    block_rows, row_bytes = build.beat_bytes // 4, -(-count // build.beat_bytes) * build.beat_bytes
    for v in {0, vocab - 1, vocab // 2}:
        block, within = divmod(v, block_rows)
        start = block * (build.beat_bytes + block_rows * row_bytes)
        assert stream[start + 4 * within:][:4].view("<u4")[0] == scales[v]
        assert (stream[start + build.beat_bytes + within * row_bytes:][:count].view(np.int8) == rows[v]).all()


@pytest.mark.parametrize("build", [*TILED, dataclasses.replace(TILED[0], ports=3)], ids=lambda b: f"{b.ports} ports")
@pytest.mark.parametrize("beats", [0, 16, 48, 1008, 1024, 1040, 3 * 1024 + 512])
def test_striping_gives_each_port_pieces_of_its_own(build, beats):
    pieces = np.arange(beats * build.ports)  # of 16 bytes, in stream order
    stream = np.repeat(pieces, 16)
    memory = stripe(stream, build)
    assert memory.dtype == stream.dtype and (unstripe(memory, build) == stream).all()
    found = memory[::16].tolist()
    for start in range(0, beats, 1024):
        size = min(1024, beats - start)
        for port in range(build.ports):
            first = start * build.ports + port * size
            assert found[first:first + size] == [(start + beat) * build.ports + port for beat in range(size)]
