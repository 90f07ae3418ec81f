"""Rows of a pass, divided into groups and parts."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.compiler.program import Program
from host.compiler.rows import Block, Group, Part, Piece, groups_of, most_divided
from host.compiler.turns import Step, turns
from hw.boards.registry import BUILDS
from models.machine.descriptor import Opcode
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import assert_semaphores_hold, listed


def test_a_part_may_lie_in_two_groups_and_blocks():
    assert groups_of((Part(3, 5), Part(0, 4)), 8, 4) == [
        Group(0, 8, (Block(0, 4, (Piece(3, 0, 4, 0),)), Block(4, 4, (Piece(3, 4, 1, 4), Piece(0, 5, 3, 0))))),
        Group(8, 1, (Block(8, 1, (Piece(0, 8, 1, 3),)),))]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=16), st.sampled_from([(1, 1), (2, 1), (8, 4), (8, 8)]))
def test_pieces_are_the_parts_in_order(rows, sizes):
    size, block_rows = sizes
    parts = tuple(Part(15 - n, count) for n, count in enumerate(rows))
    groups = groups_of(parts, *sizes)
    blocks = [block for group in groups for block in group.blocks]
    pieces = [piece for block in blocks for piece in block.pieces]
    assert [(p.sequence, p.token + n) for p in pieces for n in range(p.rows)] == [
        (part.sequence, n) for part in parts for n in range(part.rows)]
    assert [p.first_row for p in pieces] == [sum(p.rows for p in pieces[:n]) for n in range(len(pieces))]
    assert all(g.first_row % size == 0 and sum(b.rows for b in g.blocks) == g.rows <= size for g in groups)
    assert all(b.first_row % block_rows == 0 and sum(p.rows for p in b.pieces) == b.rows <= block_rows for b in blocks)
    most = most_divided(sum(rows), len(rows), block_rows)
    assert sum(part.rows for part in most) == sum(rows) and len(most) == len(rows)
    assert sum(len(block.pieces) for group in groups_of(most, *sizes) for block in group.blocks) >= len(pieces)


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_every_group_goes_through_all_steps_in_order_and_none_is_far_ahead(groups):
    found, done = list(turns(range(3), groups)), [0] * groups
    every = [(layer, step) for layer in range(3) for step in Step if step != Step.END] + [(2, Step.END)]
    for group, *turn in found:
        assert tuple(turn) == every[done[group]]
        done[group] += 1
        assert max(done) - min(done) <= 4  # from q, k, v to o a group goes on alone
    assert done == [len(every)] * groups


@pytest.mark.parametrize(("buffer", "shared"), [(4096, True), (16, False)])
def test_two_groups_share_the_stream_of_up_if_a_tile_stays_in_the_weight_buffer(buffer, shared):
    build = replace(BUILDS["sim-tiny"], rows=2, row_batches=4, weight_buffer_steps=buffer, accumulator_words=4096)
    model = synthetic_model(FAMILIES["silu full heads"], seed=0)
    program = Program(model, build, rows=6)
    items = listed(program, "prefill", 6)
    streams = Counter(fields.address for fields in items if fields.opcode == Opcode.STREAM)
    start = 0x1000
    assert {streams[start + program.memory[f"{layer}.up"]] for layer in range(model.config.layers)} == {
        2 if shared else 3}
    assert {streams[start + program.memory[f"{layer}.gate"]] for layer in range(model.config.layers)} == {3}
    found = [(fields.first_row, fields.rows, fields.batches, fields.signal != 0)
             for fields in items if fields.opcode == Opcode.MATMUL
             and fields.outputs == build.padded_outputs(model.config.ffn_size)]
    apart = [item for first in (0, 2, 4) for item in ((first, 2, 1, False), (first, 2, 1, True))]
    together = [(0, 2, 1, False), (0, 4, 2, True), (2, 2, 1, True), (4, 2, 1, False), (4, 2, 1, True)]
    assert found == (together if shared else apart) * model.config.layers
    assert_semaphores_hold(items)
