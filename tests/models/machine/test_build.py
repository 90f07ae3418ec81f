from dataclasses import replace

import pytest

from hw.boards.registry import BUILDS
from models.config import PRESETS
from models.errors import BuildError
from models.machine.build import CPU
from tests.families import FAMILIES


def test_geometry_follows_the_ports():
    for ports, tables in ((1, 8), (2, 16), (4, 32)):
        build = replace(BUILDS["sim-tiny"], ports=ports)
        assert build.tables == tables and build.tile_inputs == 3 * tables
        assert build.tile_inputs * 10 == 3 * build.beat_bytes * 5  # ten outputs of a tile fill three beats to the trit


def test_outputs_are_padded_to_whole_steps_and_whole_beats():
    for outputs_per_step, align in ((4, 20), (8, 40), (12, 60), (20, 20)):
        build = replace(BUILDS["sim-tiny"], outputs_per_step=outputs_per_step)
        assert build.outputs_align == align
        assert [build.padded_outputs(n) for n in (1, align, align + 1)] == [align, align, 2 * align]


def test_chunks_of_the_vocabulary_fit_gains_and_half_of_the_sums():
    tiny = BUILDS["sim-tiny"]
    assert [build.chunk_rows for build in (tiny, BUILDS["kv260"], CPU)] == [1520, 8180, 32767]
    assert replace(tiny, inputs_max=1540).chunk_rows == 1540  # 77 times the alignment
    assert replace(tiny, inputs_max=1539).chunk_rows == 1520
    assert replace(tiny, accumulator_words=256).chunk_rows == 500
    assert replace(tiny, row_batches=4, inputs_max=8192).chunk_rows == 500


def test_a_pass_takes_one_batch_where_the_weight_buffer_cannot_hold_a_tile():
    config, batches = FAMILIES["one head"], replace(BUILDS["sim-tiny"], rows=2, row_batches=4)
    assert batches.slots == 8 and batches.batch_words == 256
    widest = max(batches.padded_outputs(outputs) for outputs, _ in config.linear_shapes.values()) // 4
    assert replace(batches, weight_buffer_steps=widest).shared_rows(config) == 8
    assert replace(batches, weight_buffer_steps=widest - 1).shared_rows(config) == 2


@pytest.mark.parametrize("change,message", [
    ({"ports": 5}, "ports must be 1 to 4, got 5"), ({"attention_pairs": 3}, "attention_pairs must be 1, 2 or 4, got 3"),
    ({"command_beats": 3}, "command_beats must be 1, 2 or 4, got 3"),
    ({"lanes": 3}, "lanes must be 1, 2 or 4, got 3"), ({"query_word": 2}, "query_word must be 4, 8 or 16, got 2"),
    ({"ports": 4, "query_word": 8}, "with 4 ports query_word must be 16, got 8"),
    ({"outputs_per_step": 5}, "outputs_per_step must be a multiple of 4, got 5"),
    ({"kv_bits": 4}, "kv_bits must be 8 or 16, got 4"), ({"rows": 0}, "rows must be a power of two, got 0"),
    ({"row_batches": 3}, "row_batches must be a power of two, got 3"),
    ({"packing": "pile"}, "packing must be tiles or rows, got 'pile'"),
    ({"row_batches": 2, "accumulator_words": 1000}, "accumulator_words must be a power of two for each batch")])
def test_parameters_are_validated(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BUILDS["sim-tiny"], **change)


@pytest.mark.parametrize("change,message", [
    ({"hidden_size": 1024}, "hidden size of 1024 exceeds the 512"),
    ({"ffn_size": 2048}, "linear input of 2048 exceeds the 1536"),
    ({"heads": 16, "kv_heads": 16}, "head count of 16 exceeds the 8"),
    ({"head_dim": 128}, "head size of 128 exceeds the 64"),
    ({"hidden_size": 50}, "hidden size of 50 is not a multiple of 4"),
    ({"ffn_size": 49}, "feed-forward size of 49 is not a multiple of 4"),
    ({"head_dim": 20}, "head size of 20 is not a multiple of 8"),
    ({"context": 1024}, "context of 1024 exceeds the 512")])
def test_models_that_do_not_fit_are_named(change, message):
    config = replace(FAMILIES["one head"], heads=4, kv_heads=4)
    with pytest.raises(BuildError, match=message):
        BUILDS["sim-tiny"].check(replace(config, **change))


@pytest.mark.parametrize("heads,head_dim,message", [
    (20, 128, None), (8, 256, None), (16, 160, None), (27, 96, "attention's channels of 2592 exceeds the 2560"),
    (17, 136, "queries' words of 512 exceeds the 256")])
def test_heads_and_their_size_together_have_a_limit(heads, head_dim, message):
    config = replace(FAMILIES["one head"], heads=heads, kv_heads=heads, head_dim=head_dim)
    if message is None:
        BUILDS["kv260"].check(config)
    else:
        with pytest.raises(BuildError, match=message):
            BUILDS["kv260"].check(config)
    assert BUILDS["sim-tiny"].query_words == 8 * 4  # all of them with all


def test_query_heads_share_a_key_head_up_to_a_limit():
    with pytest.raises(BuildError, match="query heads per key-value head of 8 exceeds the 4"):
        replace(BUILDS["sim-tiny"], group_max=4).check(replace(FAMILIES["one head"], heads=8))


def test_accumulators_hold_gate_and_up():
    config = replace(FAMILIES["one head"], ffn_size=1500)
    with pytest.raises(BuildError, match="accumulator use of 750 exceeds the 512"):
        replace(BUILDS["sim-tiny"], accumulator_words=512).check(config)


@pytest.mark.parametrize("name", [name for name, config in PRESETS.items() if not config.grouped])
def test_the_kv260_holds_the_real_models(name):
    BUILDS["kv260"].check(PRESETS[name])


@pytest.mark.parametrize(("field", "what"), [("grouped", "a scale for each 128 inputs of a row"),
                                             ("grouped_tables", "a ternary embedding and head"),
                                             ("qk_norm", "norms of the heads of q and k")])
def test_what_the_fabric_has_not_is_refused_by_name(field, what):
    config = replace(PRESETS["falcon3-1b"], **{field: True})
    for build in BUILDS.values():
        with pytest.raises(BuildError, match=f"the model has {what}, which boards lack and the emulator runs"):
            build.check(config)
    CPU.check(config)
