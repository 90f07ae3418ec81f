"""The emulator against float32 transformers: the bars that the number formats have to clear."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.float_twin import float_logits
from models.formats import read_checkpoint
from models.quantise import quantise_model

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
CHECKPOINTS = sorted(path for logits in FIXTURES.glob("*/logits_float32.npy")
                     for path in (*logits.parent.glob("hf_*"), *logits.parent.glob("*.gguf")))
FOLDERS = [path for path in CHECKPOINTS if path.is_dir()]
pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason=f"no checkpoints with reference logits in {FIXTURES}")


def emulated(source, ids, kv_bits):
    model = quantise_model(source)
    session = Session(model, EmulatorDevice(replace(BUILDS["sim-tiny"], kv_bits=kv_bits)))
    logits = session.score(ids) / 65536.0
    assert session.saturations == 0
    return logits


def check(logits, reference, mean_bar):
    cosine = (logits * reference).sum(axis=1)
    cosine /= np.linalg.norm(logits, axis=1) * np.linalg.norm(reference, axis=1)
    assert cosine.mean() >= mean_bar
    assert cosine.min() >= 0.999
    best = np.sort(reference, axis=1)
    clear = best[:, -1] - best[:, -2] > 0.15 * reference.std(axis=1)
    assert clear.any()
    assert (logits.argmax(axis=1) == reference.argmax(axis=1))[clear].all()


def bar(path, kv_bits):
    if kv_bits == 8:
        return 0.9995
    return 0.9999 if path.parent.name == "llama_plain" else 0.9996


@pytest.mark.parametrize("kv_bits", [8, 16])
@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_checkpoints_against_transformers(path, kv_bits):
    ids, reference = (np.load(path.parent / name) for name in ("ids.npy", "logits_float32.npy"))
    check(emulated(read_checkpoint(path), ids.reshape(-1), kv_bits), reference, bar(path, kv_bits))


@pytest.mark.parametrize("kv_bits", [8, 16])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_checkpoints_whose_activations_are_a_hundred_times_smaller(folder, kv_bits):
    source = read_checkpoint(folder)
    layers = [replace(layer, gains={name: gains / 100 for name, gains in layer.gains.items()})
              for layer in source.layers]
    small = replace(source, embedding=np.asarray(source.embedding) / 100, final_gains=source.final_gains / 100,
                    layers=layers)
    ids = np.load(folder.parent / "ids.npy").reshape(-1)
    check(emulated(small, ids, kv_bits), float_logits(small, ids), bar(folder, kv_bits))
