"""The planted world's rules lead each concept to its verdict over as many hops as its table says."""

import numpy as np
import pytest

from host.pipeline.steering.reasoning import Reasoning
from host.pipeline.steering.rules import ATOMS, NOW, STEER, chain
from models.synth import synthetic_model
from scripts.experiments.steering.planted_ontology import HOPS, NAMES, RULES_TEXT, grow_world, parsed, verdicts
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_a_concept_reaches_its_verdict_in_its_hops_and_no_sooner(index):
    facts = np.zeros((1, ATOMS), np.int8)
    facts[0, NOW.start + index] = 1
    side, hops = NAMES.index("ab"[index // len(HOPS)] + "0"), HOPS[index % len(HOPS)]
    for rounds in range(hops + 2):
        steered = chain(parsed(), facts, rounds=rounds)[0, STEER]
        assert np.flatnonzero(steered).tolist() == [side] * (rounds >= hops), rounds


def test_rows_without_noise_are_judged_right_and_those_of_both_sides_not_at_all():
    world = grow_world(MODEL.config.hidden_size, 0.0, 0)
    fitted = Reasoning.fit_states(NAMES, [rows[None] for rows in world.fitted], [0], RULES_TEXT, "rules").tensors
    stage = Reasoning.load(fitted)
    for index, rows in enumerate(world.asked):
        sign = 1 if NAMES[index].startswith("a") else -1
        assert (verdicts(stage, MODEL, rows) == sign).mean() > 0.8, NAMES[index]
        assert (verdicts(stage, MODEL, rows, rounds=1) == 0).mean() > 0.8 or HOPS[index % len(HOPS)] == 1
    assert (verdicts(stage, MODEL, world.both) == 0).mean() > 0.5
