"""A text whose rows leave the cache: the emulator's bits are those of the golden model given the same cache."""

from dataclasses import replace

import numpy as np
import pytest

from host.context.scheduled import ScheduledText
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.eviction import BEACON, beacons, everything, random_rows, window
from models.golden.model import GoldenModel
from models.machine.build import CPU
from models.machine.tables import rope_table
from models.synth import synthetic_model
from tests.families import FAMILIES

TINY = BUILDS["sim-tiny"]
BEACON_ID = 5
SCHEDULES = {"beacons": beacons(22, 8, [4, 2]), "window": window(17, 8, 14, 2),  # whose last unit is one row
             "random": random_rows(22, 8, 4, 1, np.random.default_rng(0))}


def make_model(name="relu2 grouped heads", context=64):
    return synthetic_model(replace(FAMILIES[name], context=context), seed=1)


def text(model, count=22):
    return np.random.default_rng(2).integers(0, model.config.vocab_size, count).tolist()


def golden_rows(model, schedule, ids):
    """The golden model with rows taken out of its lists: logits after each token, and the caches at the end."""
    golden = GoldenModel(model)
    table = rope_table(model.config.rope_theta, model.config.head_dim, len(ids))
    logits, rows = [], []
    for row, token in enumerate(schedule.tokens):
        golden.rope_table = np.repeat(table[schedule.positions[row]][None], len(schedule.tokens), axis=0)
        logits.append(golden.step(BEACON_ID if token == BEACON else ids[token]))
        rows.append(row)
        gone = [place for place, other in enumerate(rows) if schedule.lasts[other] <= row]
        if row + 1 < len(schedule.tokens):
            for place in reversed(gone):
                del rows[place]
                for cache in golden.caches:
                    for part in (cache.keys, cache.values, cache.key_scales, cache.value_scales):
                        del part[place]
    return np.stack(logits)[schedule.tokens != BEACON], golden.caches


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("build, kernels", [(TINY, "auto"), (TINY, NUMPY), (replace(TINY, ports=4), "auto"),
                                            (CPU, "auto")], ids=["tiny", "numpy", "ports", "rows"])
def test_logits_and_cache_equal_the_golden_model(name, build, kernels):
    model, schedule = make_model(), SCHEDULES[name]
    ids = text(model, schedule.tokens.max() + 1)
    session = Session(model, EmulatorDevice(build, kernels=kernels))
    expected, caches = golden_rows(model, schedule, ids)
    assert (ScheduledText(session, schedule, BEACON_ID).append(ids) == expected).all()
    for layer, cache in enumerate(caches):
        for what, found in session.cache(layer).items():
            assert (found == np.stack(getattr(cache, what), axis=1)).all()


def test_a_text_in_pieces_is_the_text():
    model, schedule = make_model(), SCHEDULES["beacons"]
    ids, session = text(model), Session(model, EmulatorDevice(TINY))
    whole = ScheduledText(session, schedule, BEACON_ID).append(ids)
    pieces = ScheduledText(session, schedule, BEACON_ID)
    assert (np.concatenate([pieces.append(ids[:1]), pieces.append([]), pieces.append(ids[1:11]),
                            pieces.append(ids[11:])]) == whole).all()


def test_without_a_row_that_leaves_it_is_the_session():
    model = make_model()
    ids, session = text(model), Session(model, EmulatorDevice(TINY))
    expected = session.score(ids)
    scheduled = ScheduledText(session, everything(len(ids)))
    assert (scheduled.append(ids) == expected).all()


def test_a_text_may_be_longer_than_the_context():
    schedule = SCHEDULES["beacons"]
    roomy, narrow = make_model(), make_model(context=schedule.peak)
    ids = text(roomy)
    found = [ScheduledText(Session(model, EmulatorDevice(TINY)), schedule, BEACON_ID).append(ids)
             for model in (roomy, narrow)]
    assert schedule.peak < len(ids) and (found[0] == found[1]).all()


def test_the_session_gets_its_rotations_back():
    model = make_model()
    ids, session = text(model), Session(model, EmulatorDevice(TINY))
    expected = session.score(ids)
    with ScheduledText(session, SCHEDULES["beacons"]) as scheduled:
        scheduled.append(ids)
    assert (session.score(ids) == expected).all()


def test_what_does_not_fit_is_told():
    model = make_model(context=16)
    session = Session(model, EmulatorDevice(TINY))
    with pytest.raises(OptionError, match="keeps 22 rows, the context holds 16"):
        ScheduledText(session, everything(22))
    with pytest.raises(OptionError, match="5 tokens, but the schedule has room for 4 more"):
        ScheduledText(session, everything(4)).append([1] * 5)
