"""Where regions lie: apart, aligned, and streams and caches at the starts that the board has, or that were measured."""

from dataclasses import replace

import numpy as np
import pytest

from host.compiler.program import Program
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BOARDS
from models.config import PRESETS
from models.machine.dram_starts import PACKED, DramStarts
from models.synth import synthetic_model
from tests.families import FAMILIES

KIB = 1024
KV260 = BOARDS["kv260"].build


@pytest.fixture(scope="module")
def model():
    """Two layers of 0.73B's shape, with a short head and cache."""
    config = replace(PRESETS["bitnet-0.73b"], layers=2, vocab_size=2000, context=64, bos_id=None, eos_ids=())
    return synthetic_model(config, seed=0)


def streams_of(program):
    config = program.model.config
    return [f"{layer}.{name}" for layer in range(config.layers) for name in config.linear_shapes] + ["head"]


@pytest.mark.parametrize("starts", [None, PACKED, DramStarts(64 * KIB, streams=16 * KIB, caches=4 * KIB)])
def test_regions_lie_apart_and_begin_where_they_should(model, starts):
    program = Program(model, KV260, rows=16, starts=starts)
    memory, used = program.memory, starts or BOARDS["kv260"].starts
    regions = sorted((memory[name], memory.sizes[name]) for name in memory.offsets)
    assert all(at + size <= after for (at, size), (after, _) in zip(regions, regions[1:], strict=False))
    assert regions[-1][0] + regions[-1][1] <= program.size
    for name in streams_of(program):
        assert memory[name] % KV260.stream_align == 0 and memory.sizes[name] >= 64 * KIB
        assert not used.period or memory[name] % used.period == used.streams
    assert memory["0.kv"] % 4096 == 0 and (not used.period or memory["1.kv"] % used.period == used.caches)


def test_the_board_has_each_port_in_a_bank_of_its_own(model):
    assert BOARDS["kv260"].starts == DramStarts(period=64 * KIB)
    program, packed = Program(model, KV260, rows=16), Program(model, KV260, rows=16, starts=PACKED)
    assert {program.memory[name] % (64 * KIB) for name in streams_of(program)} == {0}
    assert 0 < program.size - packed.size < (len(streams_of(program)) + 2) * 64 * KIB


@pytest.mark.parametrize("board", ["sim-tiny", "kv260"])
def test_bits_are_equal_wherever_streams_begin(board):
    """The same tokens and logits, whatever lies between the regions."""
    model = synthetic_model(next(iter(FAMILIES.values())), seed=3)
    found = []
    for starts in (PACKED, DramStarts(4096), DramStarts(64 * KIB, streams=32 * KIB, caches=16 * KIB)):
        device = EmulatorDevice(BOARDS[board].build)
        device.starts = starts
        session = Session(model, device)
        session.prefill([1, 2, 3])
        found.append((session.program.memory.offsets["head"], session.decode(4)))
    for _, result in found[1:]:
        np.testing.assert_array_equal(result.ids, found[0][1].ids)
        np.testing.assert_array_equal(result.logits, found[0][1].logits)
    assert len({at for at, _ in found}) > 1
