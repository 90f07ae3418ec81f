"""The cache's layout: striping as the streams have it, regions that do not meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from host.compiler.memory_map import KVLayout
from hw.boards.registry import BUILDS
from models.config import PRESETS
from models.machine.build import BURST_BEATS, CPU, PORT_BYTES
from models.machine.cache import chunk_bytes, padded_row, physical

TILED = [replace(BUILDS["kv260"], ports=ports, kv_bits=bits) for ports in (1, 2, 4) for bits in (8, 16)]


@pytest.mark.parametrize("build", TILED[::2], ids=lambda build: f"{build.ports} ports")
def test_a_port_has_whole_bursts(build):
    """Of 16 beats, each port's parts lie together, in any group."""
    content = np.random.default_rng(1).integers(0, 256, 4 * build.stream_align, dtype=np.uint8)
    places = physical(np.arange(content.size), build)
    groups = content.reshape(-1, BURST_BEATS, build.ports, PORT_BYTES)
    assert (np.ascontiguousarray(groups.swapaxes(1, 2)).reshape(-1)[places] == content).all()
    assert physical(0x40_0000_0035, build) == 0x40_0000_0000 + int(places[0x35])


@pytest.mark.parametrize("preset", ["bitnet-0.73b", "bitnet-2b4t"])
@pytest.mark.parametrize("build", [*TILED, CPU], ids=lambda build: f"{build.packing} {build.ports} {build.kv_bits}")
def test_every_byte_has_its_place(build, preset):
    """Scales, keys and values of all tokens lie inside the layer and nowhere twice."""
    config = replace(PRESETS[preset], context=75)
    kv = KVLayout.of(config, build)
    size, tokens = config.head_dim * build.kv_bits // 8, np.arange(config.context)
    places = [kv.places(what, tokens, 4) for what in ("key_scales", "value_scales")]
    places += [kv.places(what, tokens, size) for what in ("keys", "values")]
    flat = np.concatenate([place.reshape(-1) for place in places])
    assert flat.size == kv.kv_heads * config.context * 2 * (size + 4)
    assert np.unique(flat).size == flat.size and flat.min() >= 0 and flat.max() < kv.layer_bytes
    if build.packing == "tiles":
        assert kv.head_bytes % build.stream_align == kv.values % build.stream_align == 0


@pytest.mark.parametrize(("ports", "size", "expected"), [(4, 16, 64), (4, 96, 96), (4, 80, 96), (2, 8, 32), (1, 40,
                                                                                                             48)])
def test_rows_are_whole_chunks_and_at_least_a_beat(ports, size, expected):
    row = padded_row(size, replace(BUILDS["kv260"], ports=ports))
    assert row == expected and row % chunk_bytes(ports) == 0
