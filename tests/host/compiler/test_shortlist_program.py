"""Programs that score a shortlist: their regions, and lists that queues can neither stop nor mix up."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from host.compiler.program import PASS_KINDS, Program
from host.compiler.rows import Part
from host.compiler.vocabulary import chunks_of
from host.emulator.machine import Machine
from host.emulator.streams import trits_of_bytes
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.golden.residual import embed
from models.machine.build import CPU, SHORTLIST
from models.machine.descriptor import DESCRIPTOR_BYTES, Opcode
from models.machine.layout import head_beats, unstripe, weight_beats
from models.synth import synthetic_model
from models.ternary_head import ternary_head
from tests.families import FAMILIES
from tests.host.compiler.listing import (
    assert_one_engine_takes_each,
    assert_semaphores_hold,
    assert_streams_lead,
    listed,
    queue_order,
)

BASE = 0x1000
CONFIG = replace(FAMILIES["one head"], vocab_size=273)
TEST_BUILDS = {  # chunks of 60 rows, or of 64
    "sim-tiny": replace(BUILDS["sim-tiny"], inputs_max=64),
    "kv260": replace(BUILDS["kv260"], inputs_max=64),
    "two rows, four batches": replace(BUILDS["sim-tiny"], inputs_max=64, rows=2, row_batches=4),
    "cpu": replace(CPU, inputs_max=64, rows=16),
}
builds = pytest.mark.parametrize("build", TEST_BUILDS.values(), ids=TEST_BUILDS)


def program_of(build, config=CONFIG, **options):
    options = {"rows": build.slots, "head": "shortlist"} | options
    return Program(synthetic_model(config, seed=0), build, **options)


def passes(build):
    """Kinds and rows of a few passes, and their parts."""
    for kind in PASS_KINDS:
        for rows in {1, build.slots, build.slots // 2 + 1}:
            yield kind, rows, (Part(0, rows),)
    if build.slots > 2:
        yield "decode", build.slots, (Part(1, 1), Part(0, build.slots - 2), Part(2, 1))


@builds
def test_semaphores_hold_in_every_pass(build):
    program = program_of(build, sequences=3)
    for kind, rows, parts in passes(build):
        descriptors = listed(program, kind, rows, parts)
        assert_semaphores_hold(descriptors)
        assert_one_engine_takes_each(descriptors)


@builds
def test_streams_lead_their_consumers_by_less_than_a_queue(build):
    assert_streams_lead(listed(program_of(build), "decode", build.slots))


@builds
@pytest.mark.parametrize("head", ["exact", "shortlist"])
def test_any_order_that_queues_allow_gives_the_same_tokens(build, head):
    """Engines run as they like, with no space behind the ports; what each descriptor does is done at once."""
    program = program_of(build, sequences=3, head=head)
    memory, model = np.zeros(program.size, np.uint8), program.model
    program.write(memory, BASE)
    rng = np.random.default_rng(1)
    for kind, rows, parts in passes(build):
        ids = rng.integers(0, CONFIG.vocab_size, rows)
        h = embed(model.embedding[ids], model.embedding_exponents[ids], model.residual_fraction_bits).astype("<i4")
        start = program.memory["residual_in"]
        memory[start:start + h.nbytes] = h.view(np.uint8).reshape(-1)
        item = program.get_passes(kind, rows, parts)[0]
        region = memory[item.offset:item.offset + item.count * DESCRIPTOR_BYTES].reshape(-1, DESCRIPTOR_BYTES)
        in_order, descriptors = region.copy(), listed(program_of(build, sequences=3, head=head), kind, rows, parts)
        results = []
        for attempt in range(4):
            order = queue_order(descriptors, rng) if attempt else np.arange(item.count)
            region[:] = in_order[order]
            memory[program.memory["top"]:program.memory["top"] + program.memory.sizes["top"]] = 0
            Machine(build, memory, BASE).run(BASE + item.offset, item.count, 0, 0, 0)
            results.append(memory[program.memory["top"]:][:program.memory.sizes["top"]].copy())
        region[:] = in_order
        assert results[0].any() == (kind != "prefill")
        assert all((result == results[0]).all() for result in results)


@builds
def test_the_order_of_a_pass(build):
    """Per group a norm and its chunks; then per row a norm, the listed stream and its logits."""
    rows = build.slots
    descriptors = listed(program_of(build), "decode", rows)
    chunks, groups = chunks_of(CONFIG.vocab_size, build), -(-rows // build.rows)
    tail = [fields for fields in descriptors if fields.opcode in (Opcode.NORM, Opcode.SELECT, Opcode.LOGITS)
            or fields.opcode == Opcode.STREAM and fields.listed]
    tail = tail[-groups * (1 + len(chunks)) - 3 * rows:]
    names = ([Opcode.NORM] + [Opcode.SELECT] * len(chunks)) * groups
    assert [fields.opcode for fields in tail] == names + [Opcode.NORM, Opcode.STREAM, Opcode.LOGITS] * rows
    norms = [fields for fields in tail if fields.opcode == Opcode.NORM]
    assert [f.levels16 for f in norms] == [0] * groups + [1] * rows
    assert [(f.first_row, f.rows) for f in norms[groups:]] == [(row, 1) for row in range(rows)]
    k = min(build.top_k, SHORTLIST)
    shared = {"count": CONFIG.hidden_size, "k": k, "vocab": SHORTLIST, "listed": 1, "rows": 1}
    for row, (stream, logits) in enumerate(zip(tail[-3 * rows + 1::3], tail[-3 * rows + 2::3], strict=True)):
        assert (stream.row, stream.listed, stream.head, stream.padding) == (row, SHORTLIST, 1, 0)
        assert stream.row_beats == -(-CONFIG.hidden_size // build.beat_bytes)
        assert stream.beats == head_beats(CONFIG.vocab_size, CONFIG.hidden_size, build)
        assert shared.items() <= logits._asdict().items() and logits.first_row == row


@builds
def test_chunks_cover_the_vocabulary_in_turn_at_halves_of_the_sums(build):
    descriptors, half = listed(program_of(build), "next", 1), build.batch_words // 2
    selects = [fields for fields in descriptors if fields.opcode == Opcode.SELECT]
    matmuls = [fields for fields in descriptors if fields.opcode == Opcode.MATMUL][-len(selects):]
    assert len(selects) == -(-CONFIG.vocab_size // build.chunk_rows) > 3
    for a, b in pairwise(selects):
        assert b.first_id == a.first_id + a.count and a.accumulator != b.accumulator
    assert selects[0].first_id == 0 and selects[-1].first_id + selects[-1].count == CONFIG.vocab_size
    for n, (select, matmul) in enumerate(zip(selects, matmuls, strict=True)):
        assert select.begin == (n == 0) and select.k == SHORTLIST
        assert select.accumulator == matmul.accumulator == n % 2 * half
        assert matmul.outputs - matmul.padding == select.count and matmul.batches == 1
        assert matmul.outputs <= half * build.outputs_per_step


@builds
def test_regions_hold_the_copy(build):
    program = program_of(build)
    memory = np.zeros(program.size, np.uint8)
    program.write(memory, BASE)
    copy = ternary_head(program.model.head, program.model.head_scales)
    for chunk in chunks_of(CONFIG.vocab_size, build):
        rows = slice(chunk.first, chunk.first + chunk.rows)
        start, size = program.memory[chunk.name], program.memory.sizes[chunk.name]
        assert size == weight_beats(chunk.rows, CONFIG.hidden_size, build) * build.beat_bytes
        assert start % build.stream_align == 0
        stream = memory[start:start + size]
        if build.packing == "tiles":
            padded, tiles = build.padded_outputs(chunk.rows), -(-CONFIG.hidden_size // build.tile_inputs)
            trits = trits_of_bytes(unstripe(stream, build)).reshape(-1)[:tiles * padded * build.tile_inputs]
            trits = trits.reshape(tiles, padded, -1).swapaxes(0, 1).reshape(padded, -1)
        else:
            width = -(-CONFIG.hidden_size // 5)
            trits = trits_of_bytes(stream[:chunk.rows * width].reshape(-1, width)).reshape(chunk.rows, -1)
        assert (trits[:chunk.rows, :CONFIG.hidden_size] == copy.trits()[rows]).all()
        start, size = program.memory[chunk.scales_name], program.memory.sizes[chunk.scales_name]
        assert size % 8 == 0
        scales = memory[start:start + size].view("<i2")
        assert (scales[:chunk.rows] == copy.scales[rows]).all() and not scales[chunk.rows:].any()


@builds
def test_addresses_lie_inside_the_buffer(build):
    program = program_of(build)
    for fields in listed(program, "decode", build.slots):
        size = fields.beats * build.beat_bytes if fields.opcode == Opcode.STREAM else getattr(fields, "bytes", 1)
        if fields.has("address"):
            assert BASE <= fields.address and fields.address + size <= BASE + program.size


def test_scoring_and_exact_programs_have_no_shortlist():
    build = TEST_BUILDS["sim-tiny"]
    assert not any(name.startswith("head.") for name in program_of(build, head="exact").memory.offsets)
    for program, kind in ((program_of(build), "score"), (program_of(build, head="exact"), "decode")):
        descriptors = listed(program, kind, 1)
        assert Opcode.SELECT not in [fields.opcode for fields in descriptors]
        assert [f.vocab for f in descriptors if f.opcode == Opcode.LOGITS] == [CONFIG.vocab_size]


def test_an_unknown_head_is_refused():
    with pytest.raises(OptionError, match="^unknown head 'best'; known: exact, shortlist$"):
        program_of(TEST_BUILDS["sim-tiny"], head="best")
