"""Injected vectors stand in the residual behind their layer and nowhere before; plain runs have the plain bits."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.injection import Injector, common_words, random_directions, word_directions
from host.pipeline.observing import residuals
from host.runtime import Session
from host.text import Text
from models.checkpoint import load_model
from models.errors import OptionError
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(FAMILIES["relu2 grouped heads"], seed=3)
LAST = MODEL.config.layers - 1


@pytest.fixture
def prompts(rng):
    return rng.integers(0, MODEL.config.vocab_size, (4, 5))


def test_plain_runs_have_the_plain_models_bits(prompts):
    inject = Injector(MODEL, [0])
    inject(prompts, 0, np.ones((2, MODEL.config.hidden_size)))
    runs = inject(prompts)
    for index, prompt in enumerate(prompts.tolist()):
        seen = residuals(MODEL, EmulatorDevice(CPU), prompt, skipped=0)
        assert np.array_equal(runs.states[:, index], seen[:, -1])
        logits = Session(MODEL, EmulatorDevice(CPU)).score(prompt)[-1] / 65536
        assert np.ptp(logits - runs.log_probabilities[index]) < 1e-9
    assert np.exp(runs.log_probabilities).sum(axis=1) == pytest.approx(1)


def test_a_vector_is_added_behind_its_layer_to_its_groups_runs(prompts):
    inject = Injector(MODEL, range(MODEL.config.layers))
    plain, vectors = inject(prompts), random_directions(2, MODEL.config.hidden_size, 1) * 3
    for layer in range(MODEL.config.layers):
        told = []
        runs = inject(prompts, layer, vectors, told.append)
        assert np.array_equal(runs.states[:layer], plain.states[:layer])
        if layer == 0:  # later ones are injected at every token, so that attention brings more than the vector
            assert np.abs(runs.states[0] - plain.states[0] - np.repeat(vectors, 2, axis=0)).max() < 1e-3
        assert np.abs(runs.states[LAST] - plain.states[LAST]).max() > 0.1 and told == [2, 2]


def test_common_words_are_whole_and_frequent():
    text = Text(load_model("demo").folder)
    ids = text.encode(" children" * 9 + " mother" * 12 + " sister" * 3 + " the" * 20 + "." * 30 + " of" * 30)
    assert [text.decode([word]) for word in common_words(text, ids, 3)] == [" the", " mother", " children"]
    with pytest.raises(OptionError, match="has 3 words of 3 letters .* and 4 are needed"):
        common_words(text, ids, 4)


def test_a_words_direction_leads_to_its_mean(rng):
    states, ids = rng.standard_normal((60, 8)), np.arange(60) % 3
    states[ids == 1] += 50 * np.eye(8)[2]
    found = word_directions(states, ids, [1, 2])
    assert found[0, 2] > 0.99 and found[1, 2] < -0.9
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1])


def test_random_directions_follow_their_seed():
    first, again, other = (random_directions(3, 10, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert np.linalg.norm(first, axis=1) == pytest.approx(np.ones(3))
