"""Descriptor lists keep the two rules that make them valid on queues (docs/program.md)."""

import pytest

from host.compiler.program import PASS_KINDS, Program
from host.compiler.streams_ahead import FETCH_LEAD
from hw.boards.registry import BUILDS
from models.machine.descriptor import Opcode
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import assert_semaphores_hold, listed

QUEUE = 8


def descriptors(name, kind):
    program = Program(synthetic_model(FAMILIES[name], seed=0), BUILDS["sim-tiny"], rows=4)
    return program, listed(program, kind, 1)


@pytest.mark.parametrize("kind", PASS_KINDS)
@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_wait_was_signalled_before_and_counters_do_not_overflow(name, kind):
    assert_semaphores_hold(descriptors(name, kind)[1])


@pytest.mark.parametrize("kind", PASS_KINDS)
def test_streams_lead_their_consumers_by_less_than_a_queue(kind):
    ahead = most = 0
    for item in descriptors("relu2 grouped heads", kind)[1]:
        if item.opcode == Opcode.STREAM:
            ahead += 1
            most = max(most, ahead)
        elif item.opcode in (Opcode.MATMUL, Opcode.LOGITS):
            ahead -= 1
            assert ahead >= 0
    assert ahead == 0 and most == FETCH_LEAD + 1 <= QUEUE


def test_each_semaphore_is_taken_by_one_engine():
    takers = {}
    for fields in descriptors("silu full heads", "decode")[1]:
        for bit in range(16):
            if fields.wait >> bit & 1:
                takers.setdefault(bit, set()).add(fields.engine)
    assert all(len(engines) == 1 for engines in takers.values())


def test_addresses_lie_inside_the_buffer():
    program, items = descriptors("llama plain", "score")
    for fields in items:
        for name in ("address", "logits", "top", "keys", "values", "key_scales", "value_scales", "scale_address"):
            if fields.has(name):
                assert 0x1000 <= getattr(fields, name) < 0x1000 + program.size
