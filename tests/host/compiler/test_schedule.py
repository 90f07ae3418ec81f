"""Descriptor lists keep the two rules that make them valid on queues (docs/program.md)."""

import pytest

from host.compiler.program import PASS_KINDS, Program
from hw.boards.registry import BUILDS
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import (
    assert_one_engine_takes_each,
    assert_semaphores_hold,
    assert_streams_lead,
    listed,
)


def descriptors(name, kind):
    program = Program(synthetic_model(FAMILIES[name], seed=0), BUILDS["sim-tiny"], rows=4)
    return program, listed(program, kind, 1)


@pytest.mark.parametrize("kind", PASS_KINDS)
@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_wait_was_signalled_before_and_counters_do_not_overflow(name, kind):
    assert_semaphores_hold(descriptors(name, kind)[1])


@pytest.mark.parametrize("kind", PASS_KINDS)
def test_streams_lead_their_consumers_by_less_than_a_queue(kind):
    assert_streams_lead(descriptors("relu2 grouped heads", kind)[1])


def test_each_semaphore_is_taken_by_one_engine():
    assert_one_engine_takes_each(descriptors("silu full heads", "decode")[1])


def test_addresses_lie_inside_the_buffer():
    program, items = descriptors("llama plain", "score")
    for fields in items:
        for name in ("address", "logits", "top", "keys", "values", "key_scales", "value_scales", "scale_address"):
            if fields.has(name):
                assert 0x1000 <= getattr(fields, name) < 0x1000 + program.size
