"""The generated Verilog runs compiled programs and equals the emulator, bit for bit. One build runs every model."""

from dataclasses import replace

import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from hw.boards.registry import BOARDS
from hw.emit import kept_verilog
from models.checkpoint import load_model
from models.errors import DeviceError
from models.golden.model import TapPoint
from models.machine.registers import Client, Fault
from models.synth import synthetic_model
from sim import rtl_device
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.devices.test_emulator import random_ids, random_taps
from tests.sim.cores import FOUR_SLOTS


@pytest.fixture(scope="module")
def rtl():
    device = RtlDevice(FOUR_SLOTS)
    device.identify()
    device.set("WATCHDOG", 500_000)
    yield device
    device.close()


@pytest.fixture(autouse=True)
def calm_memory(rtl):
    yield
    rtl.configure()


def test_the_build_register_reads_the_hash(rtl):
    assert rtl.get("BUILD") == int(kept_verilog(FOUR_SLOTS)[1][:8], 16)


def sessions(model, rtl, taps=None, **options):
    pair = [Session(model, device, taps=taps, **options) for device in (EmulatorDevice(FOUR_SLOTS), rtl)]
    rtl.set("WATCHDOG", 500_000)
    return pair


def check_equal(emulated, simulated, ids):
    """Logits of every token, the cache, the counters."""
    assert (emulated.score(ids) == simulated.score(ids)).all()
    for layer in range(emulated.model.config.layers):
        expected, found = emulated.cache(layer), simulated.cache(layer)
        for name in expected:
            assert (expected[name] == found[name]).all(), (layer, name)
    assert simulated.counters.zeros == emulated.counters.zeros
    assert simulated.counters.activations == emulated.counters.activations
    assert simulated.counters.cycles > 0


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_equals_the_emulator(name, rtl):
    model = synthetic_model(FAMILIES[name], seed=1)
    check_equal(*sessions(model, rtl), random_ids(model.config, 3))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_taps_equal_the_emulator(name, rtl):
    model = synthetic_model(FAMILIES[name], seed=2)
    taps = random_taps(model.config, seed=3)
    assert {point.site for point in taps} == {"qkv", "o", "gate_up", "down", "residual", "head"}
    check_equal(*sessions(model, rtl, taps), random_ids(model.config, 2))


def test_stalls_on_every_channel_change_no_bit(rtl):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=4)
    emulated, simulated = sessions(model, rtl)
    rtl.configure(latency=37, stall_probability=0.4, reorder_probability=0.3, seed=5)
    check_equal(emulated, simulated, random_ids(model.config, 3))


def check_best(expected, found):
    """The best ids and their logits after each of several tokens."""
    for one, other in zip(expected, found, strict=True):
        assert one.ids.tolist() == other.ids.tolist() and one.logits.tolist() == other.logits.tolist()


@pytest.mark.parametrize("vocab, memory", [
    *(pytest.param(*other, marks=pytest.mark.slow) for other in ((33, {}), (3333, {}))), (130, {}), (3333, dict(
    latency=37, stall_probability=0.3, reorder_probability=0.3, seed=5))])
def test_shortlists_equal_the_emulator(vocab, memory, rtl):
    """Fewer rows than a list has, a chunk of them, several chunks; with a tap on the head."""
    model = synthetic_model(replace(FAMILIES["relu2 grouped heads"], vocab_size=vocab), seed=6)
    taps = {point: tap for point, tap in random_taps(model.config, seed=3).items() if point.site == "head"}
    rtl.configure(**memory)
    pair = sessions(model, rtl, taps, head="shortlist")
    ids = random_ids(model.config, 4).tolist()
    check_best(*([session.prefill(ids[:2]), session.decode(ids[2]), session.decode(ids[3])] for session in pair))
    check_equal(*pair, ids[:1])  # all logits by the same programs


def test_the_boards_memory_changes_no_bit(rtl, monkeypatch):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=5)
    assert rtl.core.memory_model == "simple"
    monkeypatch.setattr(rtl_device, "board_of", lambda build: BOARDS["kv260"])
    for options in ({}, {"stall_probability": 0.2, "reorder_probability": 0.2}):
        rtl.configure(**options)
        emulated, simulated = sessions(model, rtl)
        assert rtl.core.memory_model == "kv260"
        check_equal(emulated, simulated, random_ids(model.config, 2))
        assert rtl.core.dram_counters().lines_written > 0


def test_the_shipped_model_generates_the_same_tokens(rtl):
    model = load_model("demo")
    emulated, simulated = sessions(model, rtl)
    prompt = random_ids(model.config, 4, seed=6).tolist()
    expected, found = (Engine(s).complete(Request(prompt, Sampler(0.0), 3)).ids for s in (emulated, simulated))
    assert expected == found
    assert emulated.saturations == simulated.saturations == 0


def test_saturations_are_counted(rtl):
    model = synthetic_model(FAMILIES["one head"], seed=7)
    model.residual_fraction_bits += 8
    emulated, simulated = sessions(model, rtl)
    before = simulated.saturations
    check_equal(emulated, simulated, random_ids(model.config, 2))
    assert simulated.saturations - before == emulated.saturations > 0


def test_invalid_weight_bytes_count_and_decode_as_zeros(rtl):
    model = synthetic_model(FAMILIES["one head"], seed=8)
    emulated, simulated = sessions(model, rtl)
    for session in (emulated, simulated):
        start = session.program.memory["0.down"]
        session.buffer.array[start:start + 3] = 255
    before = rtl.get("INVALID_TRITS")
    check_equal(emulated, simulated, random_ids(model.config, 1))
    assert rtl.get("INVALID_TRITS") - before == 3 == emulated.device.get("INVALID_TRITS")


def test_errors_end_the_run_and_the_next_one_works(rtl):
    model = synthetic_model(FAMILIES["one head"], seed=9)
    emulated, simulated = sessions(model, rtl)
    item = simulated.program.get_passes("decode", 1)[0]
    good = simulated.buffer.array[item.offset]
    simulated.buffer.array[item.offset] = 0xFF
    with pytest.raises(DeviceError, match="device rtl stopped: a bad descriptor: number 0 of its program"):
        simulated.decode(1)
    simulated.buffer.array[item.offset] = good
    lost = simulated.buffer.array[item.offset + 12:item.offset + 13].copy()
    simulated.buffer.array[item.offset + 12] = 0xFF  # the first load's address leaves the memory
    with pytest.raises(DeviceError, match="device rtl stopped: LOAD read outside the buffer at 0xff[0-9a-f]+, port 0"):
        simulated.decode(1)
    found = Fault.of(rtl.get("FAULT"))
    assert (found.client, found.port, found.write, found.response) == (Client.LOAD, 0, 0, 0)
    assert rtl.get("FAULT_ADDRESS_HIGH") == 0xFF
    simulated.buffer.array[item.offset + 12] = lost[0]
    simulated.buffer.array[item.offset + 4] = 0x80  # waits for a semaphore that no one gives
    with pytest.raises(DeviceError, match="device rtl stopped: the watchdog expired"):
        simulated.decode(1)
    simulated.buffer.array[item.offset + 4] = 0
    assert simulated.decode(1).logits.tolist() == emulated.decode(1).logits.tolist()


def test_a_steered_and_thresholded_model_equals_the_emulator(rtl):
    model = load_model("demo")
    taps = {point: tap for point, tap in random_taps(model.config, seed=10).items() if point.site != "head"}
    assert TapPoint(0, "residual") in taps
    check_equal(*sessions(model, rtl, taps), random_ids(model.config, 2))
