"""The recurrence over tiles against one over single beats and steps, and its limits."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.analytic import cycles as model
from hw.analytic.cycles import fill_cycles, layer_beats, linear_cycles
from hw.analytic.prediction import predict_speed
from hw.boards.memory_rate import SIMPLE_MEMORY, MemoryRate
from hw.boards.registry import BOARDS, BUILDS
from models.checkpoint import load_config
from models.config import PRESETS, ModelConfig
from models.machine.build import BURST_BEATS

KV260, KV260_MEMORY = BUILDS["kv260"], BOARDS["kv260"].memory
LARGE = PRESETS["bitnet-0.73b"]


def shape(hidden=96, ffn=192, heads=2, kv_heads=1, head_dim=32, layers=3):
    return ModelConfig(name="some", vocab_size=8, hidden_size=hidden, ffn_size=ffn, layers=layers, heads=heads,
                       kv_heads=kv_heads, head_dim=head_dim, activation="silu", sub_norms=False, tied_head=True,
                       rope_theta=1e4, rms_eps=1e-5, context=64)


def step_by_step(config, build, memory, rows, layers):
    """As `linear_cycles`, beat by beat and step by step, with the same constants; FIFO and buffer each for itself."""
    beat_time = 1 / memory.beats_a_cycle(build)
    round_trip = memory.latency(build) + model._REQUEST
    fill, drain = fill_cycles(build), model._DRAIN + (build.tables - 1).bit_length()
    port, taken_in = [], []  # of each beat: when it came, when the gearbox took it
    freed, end = [], 0.0  # steps

    def beat(step):
        at = (port[-1] if port else round_trip) + beat_time
        if len(port) >= model.PORT_FIFO_BEATS:
            at = max(at, taken_in[len(port) - model.PORT_FIFO_BEATS] + round_trip)
        port.append(at)
        at = max(at, taken_in[-1] + 1 if taken_in else 0)
        if step >= build.weight_buffer_steps:
            at = max(at, freed[step - build.weight_buffer_steps])
        taken_in.append(at)
        return at + model._BEAT_TO_STEP

    batches = -(-rows // build.rows)
    for _ in range(layers):
        for outputs, inputs in config.linear_shapes.values():
            tiles, padded = -(-inputs // build.tile_inputs), build.padded_outputs(outputs)
            beats, steps = padded * 3 // 10, padded // build.outputs_per_step
            time, filled, released = end, end + model._START + fill, [0.0, 0.0]
            for tile in range(tiles):
                for batch in range(batches):
                    if tile or batch:
                        filled = max(filled + fill, released[0] + model._FILL_FREE)
                    time = max(time, filled)
                    taken = 0
                    for step in range(steps):
                        time += 1
                        while batch == 0 and taken < -(-(step + 1) * beats // steps):
                            time = max(time, beat(len(freed) + (step if batches > 1 else 0)))
                            taken += 1
                        if batch == batches - 1:
                            freed.append(time)
                    released = [released[1], time]
            port[-1] += -(tiles * beats) % BURST_BEATS * beat_time
            end = time + drain
    return end


@settings(max_examples=25, deadline=None)
@given(hidden=st.sampled_from([24, 96, 320]), ffn=st.sampled_from([40, 200, 640]), ports=st.sampled_from([1, 2, 4]),
       outputs=st.sampled_from([4, 8]), batches=st.sampled_from([1, 2, 4]), depth=st.sampled_from([128, 256, 1024]),
       rate=st.sampled_from([1.0, 0.9, 0.3]), latency=st.sampled_from([5, 40]))
def test_tiles_at_a_time_are_as_good_as_steps(hidden, ffn, ports, outputs, batches, depth, rate, latency):
    config = shape(hidden, ffn)
    build = replace(KV260, ports=ports, rows=1, row_batches=batches, outputs_per_step=outputs,
                    weight_buffer_steps=depth)
    memory = MemoryRate("simple", port_rate=rate, limit_gb_s=None, latency_cycles=latency)
    rows = build.shared_rows(config)
    found = linear_cycles(config, build, memory, rows=rows, layers=2)
    assert found.cycles == pytest.approx(step_by_step(config, build, memory, rows, 2), rel=0.03)


@pytest.mark.parametrize("memory", [SIMPLE_MEMORY, KV260_MEMORY])
@pytest.mark.parametrize("rows", [1, 8, 16])
def test_nothing_is_faster_than_ports_and_array(memory, rows):
    found = linear_cycles(LARGE, KV260, memory, rows=rows, layers=1)
    assert found.beats == layer_beats(LARGE, KV260) and found.bytes == 64 * found.beats
    floor = max(found.array_steps, found.beats / memory.beats_a_cycle(KV260))
    assert floor < found.cycles < 1.02 * floor


def test_a_batch_more_is_array_time():
    eight, sixteen = (linear_cycles(LARGE, KV260, KV260_MEMORY, rows=rows, layers=1) for rows in (8, 16))
    assert sixteen.array_steps == 2 * eight.array_steps and sixteen.bytes == eight.bytes
    assert eight.cycles < sixteen.cycles < 2 * eight.cycles


def test_a_shallow_buffer_leaves_bubbles_uncovered(monkeypatch):
    monkeypatch.setattr(model, "PORT_FIFO_BEATS", 64)
    deep, shallow = (linear_cycles(LARGE, replace(KV260, weight_buffer_steps=steps), KV260_MEMORY, rows=1, layers=2)
                     for steps in (4096, 16))
    assert shallow.cycles > 1.002 * deep.cycles


def test_short_tiles_wait_for_their_tables():
    """One step a tile and batch: nothing but fills."""
    config = shape(hidden=960, ffn=4, heads=1, head_dim=4)
    found = linear_cycles(config, KV260, SIMPLE_MEMORY, rows=16, layers=1)
    fills = 2 * sum(-(-inputs // 96) for _, inputs in config.linear_shapes.values())
    assert found.cycles > 0.9 * fills * fill_cycles(KV260)


@pytest.mark.parametrize("model_name, rows, simulated", [
    ("bitnet-0.73b", 1, 2_257_776), ("bitnet-0.73b", 16, 3_567_432), ("bitnet-2b4t", 1, 6_942_390),
    ("bitnet-2b4t", 16, 10_981_380)])
def test_the_kv260_as_simulated(model_name, rows, simulated):
    """`sim.bench --phase linear --rows R`, one layer scaled (docs/measurements.md)."""
    speed = predict_speed(PRESETS[model_name], KV260, KV260_MEMORY, rows=rows, layers=1)
    assert speed.cycles == pytest.approx(simulated, rel=0.05)


@pytest.mark.parametrize("memory, simulated", [(SIMPLE_MEMORY, 33_532), (KV260_MEMORY, 33_807)])
def test_the_small_build_as_simulated(memory, simulated):
    speed = predict_speed(load_config("demo"), BUILDS["sim-tiny"], memory, rows=1, layers=6)
    assert speed.cycles == pytest.approx(simulated, rel=0.02)


def test_layers_are_alike_but_for_the_first():
    few = predict_speed(LARGE, KV260, KV260_MEMORY, rows=1)
    every = predict_speed(LARGE, KV260, KV260_MEMORY, rows=1, layers=LARGE.layers)
    assert few.cycles == pytest.approx(every.cycles, rel=1e-3) and few.ddr_bytes == every.ddr_bytes


def test_figures_are_those_of_the_bench():
    speed = predict_speed(LARGE, KV260, KV260_MEMORY, rows=16)
    weights = 24 * (4 * 1536 * 1536 + 3 * 1536 * 4096)
    assert speed.linear_gb_s == pytest.approx(weights / 5 * 250e6 / speed.cycles / 1e9)
    assert speed.array_gmac_s == pytest.approx(weights * 16 * 250e6 / speed.cycles / 1e9)
    assert speed.cycles_a_row == speed.cycles / 16


@pytest.mark.parametrize("ports, rate", [(1, 128 / 129), (2, 128 / 129), (4, 15.05 / 16)])
def test_the_boards_memory_by_ports(ports, rate):
    build = replace(KV260, ports=ports)
    assert KV260_MEMORY.beats_a_cycle(build) == pytest.approx(rate)
    assert KV260_MEMORY.sequential_gb_s(build) == pytest.approx(4 * ports * rate)
    assert KV260_MEMORY.beats_a_cycle(replace(build, clock_mhz=500)) == pytest.approx(min(128 / 129, 15.05 / 8 / ports))
