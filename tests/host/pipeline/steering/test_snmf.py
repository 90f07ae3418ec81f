"""A planted feature of the feed-forward is found, and goes through `down` as the matrix itself would take it."""

import numpy as np
import pytest

from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.snmf import Snmf, through_down
from models.errors import OptionError
from models.synth import synthetic_model
from scripts.experiments.planted import planted
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
IDS = np.random.default_rng(0).integers(0, MODEL.config.vocab_size, (2, 64)).tolist()
LAYER = MODEL.config.layers - 1


@pytest.fixture
def contrast():
    """Rows at `down`'s input are sums of planted directions; the first one is in the wanted text's alone."""
    made = Contrast(MODEL, *IDS)
    channels, rows = MODEL.config.ffn_size, 400
    directions, values = planted(12, channels, 2 * rows, active=3, share=0.1, noise=0.02)
    values -= np.outer(values @ directions[:, 0], directions[:, 0])
    toward, away = values[:rows] + directions[:, 0], values[rows:]
    made.observed = lambda point: (toward, away)
    made.planted = directions[:, 0]
    return made


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_the_feature_that_tells_the_texts_apart_is_added_behind_down(contrast):
    vectors, details = Snmf.fit_contrast(contrast, [LAYER], features=12, winners=0.1)
    wanted = MODEL.layers[LAYER].linears["down"].trits() @ contrast.planted
    assert cosine(vectors["vectors"][LAYER], wanted) > 0.9
    assert not vectors["vectors"][:LAYER].any()
    assert details["chosen"][str(LAYER)]["separations"][0] > 2


def test_the_other_way_it_is_taken_away(contrast):
    forth, back = contrast.observed, Contrast(MODEL, *IDS)
    back.observed = lambda point: forth(point)[::-1]
    one, other = (Snmf.fit_contrast(side, [LAYER], features=12, winners=0.1).tensors["vectors"][LAYER]
                  for side in (contrast, back))
    assert cosine(one, other) < -0.9


def test_a_direction_goes_through_the_ternary_matrix_exactly():
    direction = np.random.default_rng(1).standard_normal(MODEL.config.ffn_size)
    trits = MODEL.layers[0].linears["down"].trits()
    plus, minus = (np.where(trits == sign, direction, 0).sum(axis=1) for sign in (1, -1))
    assert through_down(MODEL, 0, direction) == pytest.approx(plus - minus)


def test_options_that_make_no_sense_are_refused(contrast):
    for wrong, message in ((dict(features=5, added=6), "--added"), (dict(winners=0.0), "--winners"),
                           (dict(features=801), "--features")):
        with pytest.raises(OptionError, match=message):
            Snmf.fit_contrast(contrast, [LAYER], **wrong)


def test_a_text_held_against_itself_has_no_feature():
    same = Contrast(MODEL, IDS[0], IDS[0])
    with pytest.raises(OptionError, match="no feature"):
        Snmf.fit_contrast(same, [LAYER], features=4)
