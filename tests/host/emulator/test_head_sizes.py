"""Head sizes that no board takes: the emulator's own build runs any even one. Bits are the property tests' matter."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import BuildError
from models.float_twin import float_logits
from models.formats import read_checkpoint
from models.machine.build import CPU
from models.quantise import quantise_model
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_accuracy import check
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.formats.gguf_files import GGUF_SILU


@pytest.mark.parametrize(("heads", "head_dim"), [(100, 2), (12, 20), (7, 36), (5, 50), (2, 100), (3, 100)])
def test_logits_are_those_of_the_float_model(tmp_path, heads, head_dim):
    """Heads of 100 channels are the published 3B model's of 1bitLLM. Keys and values of 16 bits: of 8 cost these random
    weights 3e-4 of cosine, at any head size."""
    config = replace(GGUF_SILU, heads=heads, kv_heads=heads, head_dim=head_dim, vocab_size=512)
    source = read_checkpoint(write_folder(tmp_path / "m", config_json(config), masters(config)))
    ids = np.random.default_rng(1).integers(0, config.vocab_size, config.context)
    session = Session(quantise_model(source), EmulatorDevice(replace(CPU, kv_bits=16)))
    check(session.score(ids) / 65536.0, float_logits(source, ids), 0.9996)


@pytest.mark.parametrize("kernels", [*native_paths(), NUMPY])
def test_drafts_taken_back_and_sequences_side_by_side(kernels):
    config = replace(FAMILIES["relu2 grouped heads"], head_dim=50)
    session = Session(synthetic_model(config, seed=1), EmulatorDevice(CPU, kernels=kernels), sequences=2)
    ids = np.random.default_rng(2).integers(0, config.vocab_size, 12)
    expected = session.prefill(ids)
    session.reset()
    session.advance([(0, ids[:4]), (1, ids[:9])])
    session.advance([(0, [*ids[4:6], 1, 2, 3])])
    session.position = 6
    zero, one = session.advance([(0, ids[6:]), (1, ids[9:])])[5::3]
    for top in (zero, one):
        assert (top.ids == expected.ids).all() and (top.logits == expected.logits).all()


@pytest.mark.parametrize("name", list(BUILDS))
def test_a_board_says_so(name):
    model = synthetic_model(replace(FAMILIES["one head"], head_dim=20), seed=0)
    with pytest.raises(BuildError, match="head size of 20 is not a multiple of 8, as boards need"):
        Session(model, EmulatorDevice(BUILDS[name]))
