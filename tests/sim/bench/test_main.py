"""Figures of sim.bench: arithmetic on made-up samples, and small models on the small build against plain runs."""

import json

import numpy as np
import pytest

from host.compiler.rows import Part
from host.compiler.schedule import Schedule
from host.compiler.vocabulary import chunks_of
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.checkpoint import load_model
from models.config import PRESETS
from models.errors import BuildError, OptionError, TritloomError
from models.machine.descriptor import Engine, Opcode, unpack
from models.machine.layout import head_beats, weight_beats
from models.machine.scalar_format import unpack_words
from sim.bench.__main__ import main
from sim.bench.check import differences, golden_differences
from sim.bench.counts import Counts
from sim.bench.linears import linears_program
from sim.bench.measure import Measurement, chunks, hat_weights, measure_decode, measure_linear, measure_prefill
from sim.bench.probe import ProbedDevice, Timeline
from sim.bench.report import Figures
from sim.bench.workload import Workload, fill_cache, load_workload, random_loops
from sim.rtl_device import RtlDevice
from tests.sim.cores import FOUR_SLOTS

TINY = BUILDS["sim-tiny"]
KEYS = {"model", "board", "phase", "memory", "cycles", "clock_mhz", "tokens_per_s", "ddr_bytes", "ddr_gb_s",
        "ddr_utilisation", "linear_gb_s", "array_gmac_s", "simulated_layers", "breakdown", "outstanding"}
UNITS = {"linear", "head", "attend", "vector", "load", "fetch", "none"}


@pytest.fixture(scope="module")
def opened(small):
    """Workload and session of the small model's first layers on a core whose cycles are watched."""
    device = ProbedDevice(FOUR_SLOTS)
    device.identify()

    def workload_and_session(layers, vocabulary=None):
        workload = load_workload(small, layers=layers, vocabulary=vocabulary)
        session = Session(workload.model, device)
        device.set("WATCHDOG", 500_000)
        return workload, session

    yield workload_and_session
    device.close()


def samples(*rows):
    """Rows of {engine: busy cycles}, cycles, bytes."""
    return np.array([[busy.get(engine, 0) for engine in Engine] + [cycles, size] for busy, cycles, size in rows])


def test_counts_add_up():
    a, b = Counts(10, 100, {"linear": 6, "none": 4}), Counts(3, 7, {"head": 3})
    assert a + b * 2 == Counts(16, 114, {"linear": 6, "none": 4, "head": 6})
    assert a + b - a == Counts(3, 7, {"linear": 0, "none": 0, "head": 3})
    assert Counts() + a == a


def test_each_cycle_counts_once():
    fetch, linear, vector = Engine.FETCH, Engine.LINEAR, Engine.VECTOR
    timeline = Timeline(samples(({}, 0, 0), ({}, 30, 0), ({fetch: 20}, 60, 64), ({fetch: 50, vector: 10}, 90, 96),
                                ({fetch: 80, vector: 30, linear: 20}, 120, 960)))
    whole = timeline.counts()
    assert (whole.cycles, whole.ddr_bytes, sum(whole.units.values())) == (120, 960, 120)
    assert {name: n for name, n in whole.units.items() if n} == {"linear": 20, "vector": 20, "fetch": 40, "none": 40}
    assert timeline.first(fetch) == 1 and timeline.first(linear) == 3 and timeline.first(Engine.HEAD) == 4
    assert timeline.counts(0, timeline.first(vector)).cycles == 60
    assert timeline.counts(1, 2) + timeline.counts(2, 4) == timeline.counts(1)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 127, 128])
def test_hat_weights_sum_what_is_linear(count):
    weights = hat_weights(count)
    assert len(weights) == min(count, 3) and (not count or {0, count - 1} <= set(weights))
    total = sum(weight * (17 + 5 * index) for index, weight in weights.items())
    assert total == pytest.approx(sum(17 + 5 * index for index in range(count)))


def test_chunks_are_those_of_a_session():
    assert chunks(40, 20, 8) == [(40, 8), (48, 8), (56, 4)]
    assert chunks(3, 2, 1) == [(3, 1), (4, 1)] and chunks(9, 0, 8) == []


def test_a_workload_has_the_true_shapes():
    workload = load_workload("bitnet-0.73b", layers=1, vocabulary=40)
    whole = PRESETS["bitnet-0.73b"]
    assert workload.whole is whole and workload.layer_scale == 24 and workload.head_scale == 32002 / 40
    shapes = {name: matrix.shape for name, matrix in workload.model.layers[0].linears.items()}
    assert shapes == whole.linear_shapes and workload.model.head.shape == (40, 1536)
    assert workload.layer_weights == 4 * 1536 * 1536 + 3 * 1536 * 4096


def test_a_folders_first_layers_are_its_own():
    demo, workload = load_model("demo"), load_workload("demo", layers=2, vocabulary=10)
    assert workload.layers == len(workload.model.layers) == 2 and workload.layer_scale == demo.config.layers / 2
    assert (workload.model.layers[1].linears["down"].packed == demo.layers[1].linears["down"].packed).all()
    assert (workload.model.head == demo.head[:10]).all()


@pytest.mark.parametrize("layers", [0, 25])
def test_layers_that_the_model_has_not(layers):
    with pytest.raises(OptionError, match=f"layers must be 1 to the model's 24, got {layers}"):
        load_workload("bitnet-0.73b", layers=layers)


def test_a_filled_cache_is_valid():
    session = Session(load_workload("demo", layers=2).model, EmulatorDevice(TINY))
    fill_cache(session)
    session.position = session.context
    caches = [session.cache(layer) for layer in range(2)]
    for cache in caches:
        assert np.abs(cache["keys"].astype(int)).max() == np.abs(cache["values"].astype(int)).max() == 127
        for name in ("key_scales", "value_scales"):
            mantissas, exponents = unpack_words(cache[name])
            assert mantissas.min() >= 1 << 23 and (exponents == exponents[0, 0]).all()
    assert (caches[0]["keys"] != caches[1]["keys"]).any() and (caches[0]["keys"] != caches[0]["values"]).any()
    session.position -= 1
    assert session.decode(0).logits.size == TINY.top_k


def test_the_linears_are_the_pass_own():
    session = Session(load_workload("demo", layers=2).model, EmulatorDevice(TINY))
    every = [unpack(d) for d in Schedule(session.model, TINY, session.program.memory, session.buffer.address,
                                         (Part(0, 1),), {}, head_from=None).emit()[0].descriptors]
    found = [unpack(d) for d in linears_program(session, 1)]
    assert [fields.opcode for fields in found[:3]] == [Opcode.LOAD, Opcode.LOAD, Opcode.NORM]
    for opcode, names in ((Opcode.STREAM, ("address", "beats")), (Opcode.MATMUL, ("tiles", "outputs", "rows"))):
        kept, own = ([[getattr(f, name) for name in names] for f in list_ if f.opcode == opcode]
                     for list_ in (found, every))
        assert kept == own and len(kept) == 14
    assert len(found) == 3 + 28
    waiting = [(fields.opcode, fields.wait) for fields in found[3:] if fields.wait]
    assert [opcode for opcode, _ in waiting] == [Opcode.STREAM, Opcode.MATMUL]
    assert found[2].signal == waiting[0][1] | waiting[1][1] and waiting[0][1] != waiting[1][1]
    assert not any(fields.signal for fields in found[3:])


def test_watching_takes_no_cycle(opened):
    _, session = opened(1)
    fill_cache(session)
    session.position = 9
    top = session.decode(3)
    end = session.device.timeline.samples[-1]
    assert end[:-2].tolist() == list(session.device.busy().values())
    plain = Session(session.model, RtlDevice(FOUR_SLOTS))
    fill_cache(plain)
    plain.position = 9
    assert plain.decode(3).logits.tolist() == top.logits.tolist()
    assert plain.counters.cycles == session.counters.cycles == end[-2]
    assert end[-1] == sum(session.device.core.bytes_read) + sum(session.device.core.bytes_written)
    assert (np.diff(session.device.timeline.samples, axis=0) >= 0).all()
    assert np.diff(session.device.timeline.samples[:, -2]).max() == 64
    plain.device.close()


def test_all_layers_simulated_are_a_plain_run_and_one_stands_for_all(opened):
    workload, session = opened(6)
    whole = measure_decode(workload, session, 20).counts
    assert whole.cycles == session.device.timeline.samples[-1, -2]  # the run with the head
    assert sum(whole.units.values()) == pytest.approx(whole.cycles)
    one = measure_decode(*opened(1), 20).counts
    assert one.cycles == pytest.approx(whole.cycles, rel=0.01)
    assert one.ddr_bytes == pytest.approx(whole.ddr_bytes, rel=0.01)
    small = measure_decode(*opened(1, vocabulary=workload.whole.vocab_size // 2), 20).counts
    assert small.units["head"] == pytest.approx(one.units["head"], rel=0.05)
    assert small.ddr_bytes == pytest.approx(one.ddr_bytes, rel=0.01)


def test_a_steered_token_takes_little_more(opened):
    workload, session = opened(2, vocabulary=64)
    plain = measure_decode(workload, session, 20).counts
    loops = random_loops(workload.model)
    steered_session = Session(workload.model, session.device, taps=loops)
    steered = measure_decode(workload, steered_session, 20).counts
    words = workload.whole.hidden_size // session.device.build.lanes
    more = (steered.cycles - plain.cycles) / workload.whole.layers
    assert words + 50 < more < words + 80
    fill_cache(steered_session)
    assert not differences(steered_session, 9) and not golden_differences(steered_session)


def test_a_prompt_is_its_passes(opened):
    workload, session = opened(6)
    five = measure_prefill(workload, session, 12, 5)
    fill_cache(session)
    session.position = 7
    before = session.counters.cycles
    session.prefill([0] * 5)
    assert (five.tokens, five.passes) == (5, 2.75)  # four rows, one row; up, a quarter, is read once for two groups
    assert five.counts.cycles == pytest.approx(session.counters.cycles - before, rel=0.005)
    with pytest.raises(OptionError, match="prompt tokens must be 1 to the context's 12, got 13"):
        measure_prefill(workload, session, 12, 13)
    with pytest.raises(OptionError, match="the context must be 1 to"):
        measure_decode(workload, session, 0)


def test_linears_are_timed_from_the_first_stream(opened):
    workload, session = opened(2)
    counts = measure_linear(workload, session, 1).counts * (2 / workload.whole.layers)
    end = session.device.timeline.samples[-1]
    assert end[Engine.LINEAR] < counts.cycles < end[Engine.LINEAR] + 200 < end[-2]  # the norm before is left out
    streams = [fields.beats for fields in map(unpack, linears_program(session, 1))
               if fields.opcode == Opcode.STREAM]
    least = sum(streams) * TINY.beat_bytes
    assert least <= counts.ddr_bytes < least + 64 * 64  # the streams, and the descriptors fetched meanwhile


def test_figures():
    workload = load_workload("demo", layers=2)
    counts = Counts(5e6, 4e7, {"linear": 2e6, "vector": 3e6})
    weights = 6 * workload.layer_weights
    decode = Figures("decode", workload, TINY, Measurement(counts, 1, 1), "simple", 16).to_json()
    assert set(decode) == KEYS and decode["simulated_layers"] == 2
    assert decode["tokens_per_s"] == pytest.approx(50) and decode["ddr_gb_s"] == pytest.approx(2.0)
    assert decode["ddr_utilisation"] == pytest.approx(0.25)
    assert decode["linear_gb_s"] == pytest.approx(weights / 5 / 20e-3 / 1e9)
    assert decode["array_gmac_s"] == pytest.approx(weights / 8e-3 / 1e9)
    linear = Figures("linear", workload, TINY, Measurement(counts, 8, 1), "simple", 16).to_json()
    assert linear["linear_gb_s"] == pytest.approx(weights / 5 / 20e-3 / 1e9)
    assert linear["array_gmac_s"] == pytest.approx(8 * weights / 20e-3 / 1e9)
    prefill = Figures("prefill", workload, TINY, Measurement(counts, 8, 2), "simple", 16).to_json()
    assert set(prefill) == KEYS - {"tokens_per_s"} | {"ttft_s"} and prefill["ttft_s"] == pytest.approx(0.02)
    assert prefill["linear_gb_s"] == pytest.approx(2 * weights / 5 / 20e-3 / 1e9)


def test_figures_of_a_shortlist():
    workload = load_workload("demo", layers=2)
    counts, head, vocab = Counts(5e6, 4e7, {"linear": 2e6, "head": 3e6}), 2048 * 256, 2048
    exact, listed = (Figures("decode", workload, TINY, Measurement(counts, 4, 2, name, 4, passes), "simple", 16)
                     for name, passes in (("exact", 4), ("shortlist", 2)))
    assert workload.whole.vocab_size == vocab and exact.head_bytes == 4 * head
    assert listed.head_bytes == pytest.approx(2 * head / 5 + 4 * 64 * 256)
    weights = 6 * workload.layer_weights
    assert exact.linear_gb_s == pytest.approx(2 * weights / 5 / 20e-3 / 1e9)
    assert listed.linear_gb_s == pytest.approx(2 * (weights + head) / 5 / 20e-3 / 1e9)
    assert exact.array_gmac_s == pytest.approx(4 * weights / 8e-3 / 1e9)
    assert listed.array_gmac_s == pytest.approx(4 * (weights + head) / 8e-3 / 1e9)
    assert set(listed.to_json()) == KEYS and "0.28 MB useful, shortlist" in listed.table()
    assert "simulated: a shortlist of 64 chosen among all 2048 rows of the head" in listed.notes()


class BeatDevice(EmulatorDevice):
    """Emulates; its timeline has a cycle for each beat of the streams, by the engine that takes them."""

    def run(self, address, count, *positions):
        beats = {Engine.VECTOR: 1, Engine.LINEAR: 0, Engine.HEAD: 0}
        raw = self.machine.image.view(address, count * 64).tobytes()
        for f in (unpack(raw[i:i + 64]) for i in range(0, len(raw), 64)):
            if f.opcode == Opcode.STREAM:
                engine = Engine.HEAD if f.head else Engine.LINEAR
                beats[engine] += f.listed * (1 + f.row_beats) if f.listed else f.beats
        cycles = sum(beats.values())
        self.timeline = Timeline(samples(({}, 0, 0), ({Engine.VECTOR: 1}, 1, 0),
                                         (beats, cycles, cycles * self.build.beat_bytes)))
        return super().run(address, count, *positions)


@pytest.mark.parametrize("sequences", [1, 8, 11])
def test_a_shortlist_is_chosen_among_all_rows_and_scored_once_a_row(sequences):
    build = BUILDS["kv260"]
    workload = load_workload("demo", layers=2)
    session = Session(workload.model, BeatDevice(build), sequences=sequences, head="shortlist")
    found = measure_decode(workload, session, 20)
    passes = -(-sequences // 8)
    layers = 6 * sum(weight_beats(*shape, build) for shape in workload.whole.linear_shapes.values())
    shared = passes // 2 * 6 * weight_beats(*workload.whole.linear_shapes["up"], build)  # once for two groups of rows
    copy = sum(weight_beats(chunk.rows, 256, build) for chunk in chunks_of(2048, build))
    assert found.counts.units["linear"] == pytest.approx(passes * (layers + copy) - shared)
    assert found.counts.units["head"] == sequences * 64 * (1 + 4)
    assert (found.tokens, found.passes) == (sequences, passes - passes // 2 * 0.25)  # up is a quarter of the weights
    assert (found.head, found.head_rows, found.head_passes) == ("shortlist", sequences, passes)
    prefill = measure_prefill(workload, session, 20, 12)
    assert (prefill.head, prefill.head_rows, prefill.head_passes) == ("shortlist", 1, 1)
    assert prefill.counts.units["head"] == 64 * (1 + 4)


def test_an_exact_head_is_read_for_every_row():
    workload = load_workload("demo", layers=2, vocabulary=512)
    session = Session(workload.model, BeatDevice(BUILDS["kv260"]), sequences=3)
    found = measure_decode(workload, session, 20)
    assert (found.head, found.head_rows, found.head_passes) == ("exact", 3, 3)
    assert found.counts.units["head"] == 4 * 3 * head_beats(512, 256, BUILDS["kv260"])


def test_a_check_compares_shortlists():
    session = Session(load_workload("demo", layers=1).model, EmulatorDevice(BUILDS["kv260"]), head="shortlist")
    fill_cache(session)
    assert differences(session, 5) == golden_differences(session) == []
    start = session.program.memory["head.ternary.scales.0"]
    session.buffer.array[start:start + 4096].view("<i2")[::2] //= 2
    fill_cache(session)
    assert differences(session, 5) == ["ids", "logits"]
    assert set(golden_differences(session)) == {"ids", "logits"}


def test_the_check_sees_a_wrong_trit(opened):
    _, session = opened(1)
    fill_cache(session)
    assert differences(session, 5) == []
    start = session.program.memory["0.v"]
    session.buffer.array[start] = (session.buffer.array[start] + 1) % 243
    fill_cache(session)
    assert set(differences(session, 5)) & {"0.kv", "logits"}


@pytest.mark.parametrize("phase", ["linear", "decode", "prefill"])
def test_the_command(phase, board, small, capsys):
    arguments = ["--board", board, "--model", small, "--phase", phase, "--context", "4", "--json"]
    main([*arguments, *(["--prompt-tokens", "2"] if phase == "prefill" else [])])
    output = capsys.readouterr()
    data = json.loads(output.out)
    assert set(data) == (KEYS if phase != "prefill" else KEYS - {"tokens_per_s"} | {"ttft_s"}) | {"run"}
    assert (data["model"], data["phase"], data["memory"]) == ("small", phase, "simple")
    assert set(data["breakdown"]) == UNITS and sum(data["breakdown"].values()) == pytest.approx(data["cycles"], abs=8)
    assert 0 < data["ddr_utilisation"] < 1 and "simulated: 1 of 6 layers" in output.err


def test_the_command_checks(board, small, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--board", board, "--model", small, "--phase", "linear", "--context", "4", "--check",
              "--outstanding", "3"])
    output = capsys.readouterr()
    assert end.value.code == 0 and "equal" in output.err and "simulated at 250 MHz" in output.out
    assert "'simple' with 3 bursts under way a port:" in output.out


@pytest.mark.parametrize("arguments, message", [
    (["--board", "none"], "unknown board"), (["--model", "nowhere"], "nowhere"),
    (["--phase", "decode", "--prompt-tokens", "4"], "belongs to --phase prefill"),
    (["--head", "shortlist", "--phase", "linear"], "--head belongs to --phase decode and prefill"),
    (["--head", "shortlist", "--vocab", "9"], "--vocab belongs to --head exact"),
    (["--board", "sim-tiny", "--vocab", "0"], "--vocab must be at least 1"),
    (["--sequences", "0"], "--sequences must be at least 1, got 0"),
    (["--context", "-1"], "--context must be at least 1, got -1"),
    (["--outstanding", "33"], "--outstanding must be 1 to 32, got 33"),
    (["--rates", "0"], "--rates must be above 0 and at most 17.0, got 0"),
    (["--board", "sim-tiny", "--rates", "12"], "--rates belongs to a board whose DDR controller is simulated, not to")])
def test_what_is_refused(arguments, message):
    with pytest.raises(TritloomError, match=message):
        main(["--model", "demo", *arguments])


def test_a_model_too_large_for_the_build_is_refused():
    with pytest.raises(BuildError, match="exceeds the 512 of build sim-tiny"):
        main(["--board", "sim-tiny", "--model", "bitnet-0.73b", "--vocab", "16"])


def test_scales_of_a_workload():
    workload = load_workload("demo", layers=6)
    assert isinstance(workload, Workload) and workload.layer_scale == workload.head_scale == 1


@pytest.mark.parametrize("name, message", [("cycles.txt", "is no picture: its name must end in one of .*\\.png"),
                                           ("none/cycles.png", "cannot be written"), ("", "is no picture")])
def test_a_picture_that_cannot_be_drawn_is_told_before_the_work(tmp_path, monkeypatch, name, message):
    monkeypatch.setattr("sim.bench.__main__.load_workload", None)
    with pytest.raises(OptionError, match=message):
        main(["--board", "sim-tiny", "--model", "demo", "--picture", str(tmp_path / name)])
