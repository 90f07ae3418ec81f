"""The emulator, running compiled programs, equals the golden model bit for bit."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from host.devices.emulator import BASE, EmulatorDevice
from host.emulator.library import NUMPY
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import BuildError, DeviceError, OptionError
from models.golden.model import GoldenModel, TapPoint
from models.golden.tap import NO_CLIP, Tap
from models.machine.registers import LIMIT_BYTES, Client, Control, Fault, Status
from models.synth import synthetic_model
from tests.families import FAMILIES

TINY = BUILDS["sim-tiny"]


@pytest.fixture(params=["auto", NUMPY])
def emulator(request):
    """The device by the fastest kernels here, and by NumPy: one program, two machines."""
    return partial(EmulatorDevice, kernels=request.param)


def golden_logits(model, ids, **options):
    golden = GoldenModel(model, **options)
    return golden, np.stack([golden.step(int(i)) for i in ids])


def random_ids(config, count, seed=0):
    return np.random.default_rng(seed).integers(0, config.vocab_size, count)


def random_taps(config, seed):
    """A tap with every field in use at every kind of site."""
    rng = np.random.default_rng(seed)
    sizes = {"qkv": config.hidden_size, "o": config.attention_size, "gate_up": config.hidden_size,
             "down": config.ffn_size, "residual": config.hidden_size, "head": config.hidden_size}
    taps = {}
    for site, size in sizes.items():
        taps[TapPoint(config.layers if site == "head" else 0, site)] = Tap(
            gain=rng.integers(4000, 12000, size).astype(np.int16), add=rng.integers(-3000, 3000, size).astype(np.int16),
            clip=rng.choice([NO_CLIP, 20000, 50000], size).astype(np.uint16),
            threshold=rng.integers(0, 9000, size).astype(np.uint16), add_exponent=-14, clip_exponent=-13,
            threshold_exponent=-15)
    return taps


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("kv_bits", [8, 16])
def test_logits_and_cache_equal_the_golden_model(name, kv_bits, emulator):
    model = synthetic_model(FAMILIES[name], seed=1)
    ids = random_ids(model.config, 20)
    golden, expected = golden_logits(model, ids, kv_bits=kv_bits)
    session = Session(model, emulator(replace(TINY, kv_bits=kv_bits)))
    assert (session.score(ids) == expected).all()
    for layer, cache in enumerate(golden.caches):
        found = session.cache(layer)
        assert (found["keys"] == np.stack(cache.keys, axis=1)).all()
        assert (found["values"] == np.stack(cache.values, axis=1)).all()
        assert (found["key_scales"] == np.stack(cache.key_scales, axis=1)).all()
        assert (found["value_scales"] == np.stack(cache.value_scales, axis=1)).all()


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_the_build_changes_no_bit(ports, emulator):
    model = synthetic_model(FAMILIES["llama plain"], seed=2)
    ids = random_ids(model.config, 9)
    session = Session(model, emulator(replace(TINY, ports=ports)))
    assert (session.score(ids) == golden_logits(model, ids)[1]).all()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_taps_equal_the_golden_model(name, emulator):
    model = synthetic_model(FAMILIES[name], seed=3)
    taps, ids = random_taps(model.config, seed=4), random_ids(model.config, 8)
    tapped = Session(model, emulator(TINY), taps=taps).score(ids)
    assert (tapped == golden_logits(model, ids, taps=taps)[1]).all()
    assert (tapped != Session(model, emulator(TINY)).score(ids)).any()


def test_prefill_in_any_pieces_equals_decode(emulator):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=5)
    ids = random_ids(model.config, 30)
    whole = Session(model, emulator(TINY))
    one_by_one = Session(model, emulator(TINY))
    pieces = Session(model, emulator(TINY))
    expected = whole.prefill(ids)
    for token in ids:
        decoded = one_by_one.decode(token)
    for start, end in ((0, 1), (1, 8), (8, 9), (9, 29)):
        pieces.feed(ids[start:end])
    last = pieces.decode(ids[29])
    for top in (decoded, last):
        assert (top.ids == expected.ids).all() and (top.logits == expected.logits).all()


def test_top_k_is_the_scored_order(emulator):
    model = synthetic_model(FAMILIES["silu full heads"], seed=6)
    ids = random_ids(model.config, 5)
    session = Session(model, emulator(TINY))
    logits = session.score(ids)[-1]
    session.reset()
    top = session.prefill(ids)
    order = np.lexsort((np.arange(logits.size), -logits))[:TINY.top_k]
    assert top.ids.tolist() == order.tolist() and top.logits.tolist() == logits[order].tolist()


def test_zero_bytes_of_activations_are_counted(emulator):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=7)
    session = Session(model, emulator(TINY))
    session.score(random_ids(model.config, 6))
    config = model.config
    layer = 2 * config.hidden_size + config.attention_size + config.ffn_size
    assert session.counters.activations == 6 * config.layers * layer
    assert 0.05 < session.counters.sparsity < 0.9


def test_a_full_context_and_bad_ids_are_refused(emulator):
    model = synthetic_model(FAMILIES["one head"], seed=8)
    session = Session(model, emulator(TINY))
    with pytest.raises(OptionError, match="the prompt is empty"):
        session.prefill([])
    with pytest.raises(OptionError, match="token id 33 is outside the vocabulary of 33"):
        session.decode(33)
    session.feed(random_ids(model.config, 64))
    with pytest.raises(OptionError, match="context is full: 64 tokens are in it and 1 more exceed its 64"):
        session.decode(0)


def test_a_model_too_large_for_the_build_is_refused(emulator):
    config = replace(FAMILIES["one head"], ffn_size=2000)
    with pytest.raises(BuildError, match="linear input of 2000 exceeds the 1536 of build sim-tiny"):
        Session(synthetic_model(config, seed=0), emulator(TINY))


def test_a_damaged_program_stops_with_an_error(emulator):
    model = synthetic_model(FAMILIES["one head"], seed=9)
    session = Session(model, emulator(TINY))
    item = session.program.get_passes("decode", 1)[0]
    session.buffer.array[item.offset] = 0xFF
    with pytest.raises(DeviceError, match="device emulator stopped: a bad descriptor"):
        session.decode(1)


def test_a_semaphore_given_by_no_one_is_an_error(emulator):
    model = synthetic_model(FAMILIES["one head"], seed=9)
    session = Session(model, emulator(TINY))
    item = session.program.get_passes("decode", 1)[0]
    session.buffer.array[item.offset + 4] = 0x80  # wait for semaphore 7
    with pytest.raises(DeviceError, match="a bad descriptor"):
        session.decode(1)


def test_registers_tell_why_a_run_failed(emulator):
    """The fabric's codes: a damaged descriptor, addresses outside, a memory that BASE and LIMIT leave out in part."""
    model = synthetic_model(FAMILIES["one head"], seed=9)
    session = Session(model, emulator(TINY))
    device, item = session.device, session.program.get_passes("decode", 1)[0]
    expected = session.decode(1).logits.tolist()

    def run(control=Control.START):
        device.set("CONTROL", control)
        return device.get("STATUS")

    def code(status):
        return status >> 8 if status & Status.ERROR else 0

    assert run() == Status.QUIET | Status.DONE
    base, limit, size = device.get("BASE"), device.get("LIMIT"), session.buffer.array.size
    assert base * LIMIT_BYTES == session.buffer.address and 0 <= limit * LIMIT_BYTES - BASE - size < LIMIT_BYTES
    for name, value in (("BASE", base + 1), ("LIMIT", limit - 1), ("LIMIT", 0)):
        kept = device.get(name)
        device.set(name, value)
        assert code(run()) == Status.ERROR_OUTSIDE
        assert Fault.of(device.get("FAULT")) == (Client.PROGRAM, 0, 0, 0)
        assert device.get("FAULT_ADDRESS_HIGH") << 32 | device.get("FAULT_ADDRESS_LOW") == BASE + item.offset
        device.set(name, kept)
        assert code(run()) == Status.ERROR_OUTSIDE  # not acknowledged
        device.set("CONTROL", Control.ACKNOWLEDGE)
    session.buffer.array[item.offset + 12] = 0xFF  # the first load's address leaves the memory
    assert code(run()) == Status.ERROR_OUTSIDE
    session.buffer.array[item.offset + 12] = 0
    session.buffer.array[item.offset] = 0xFF
    assert code(run(Control.START | Control.ACKNOWLEDGE)) == Status.ERROR_DESCRIPTOR
    device.set("CONTROL", Control.ACKNOWLEDGE)
    assert device.get("STATUS") == Status.QUIET
    assert run(Control.ABORT) == run(Control.ABORT | Control.START) == Status.QUIET
    session = Session(model, device)
    assert session.decode(1).logits.tolist() == expected


def test_counters_are_cleared(emulator):
    model = synthetic_model(FAMILIES["one head"], seed=7)
    model.residual_fraction_bits += 8
    session = Session(model, emulator(TINY))
    for _ in range(2):
        session.reset()
        session.score(random_ids(model.config, 2))
        assert session.device.get("SATURATIONS") > 0
        seen = session.device.get("SATURATIONS")
        session.device.set("CONTROL", Control.CLEAR)
        assert session.device.get("SATURATIONS") == session.device.get("INVALID_TRITS") == 0
    session.reset()
    session.score(random_ids(model.config, 2))
    assert session.device.get("SATURATIONS") == seen
