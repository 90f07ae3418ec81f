"""A network whose rows leave sees what a device sees, and rows are told where to look."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from host.context.scheduled import ScheduledText as DeviceText  # noqa: E402
from host.devices.emulator import EmulatorDevice  # noqa: E402
from host.runtime import Session  # noqa: E402
from models.eviction import BEACON, beacons, everything, window  # noqa: E402
from models.golden.head import LOGIT_FRACTION  # noqa: E402
from models.machine.build import CPU  # noqa: E402
from models.synth import synthetic_model  # noqa: E402
from models.train.evicting import IGNORED, EvictingBitNet, ScheduledText, scheduled, scheduled_logits  # noqa: E402
from models.train.guide import NOWHERE  # noqa: E402
from models.train.initial import network_of  # noqa: E402
from tests.families import FAMILIES  # noqa: E402

BEACON_ID = 5


def evicting(plain):
    network = EvictingBitNet(plain.shape).eval()
    network.load_state_dict(plain.state_dict())
    return network


@pytest.mark.parametrize("schedule", [beacons(24, 8, [4, 2]), window(24, 8, 14, 2)], ids=["beacons", "window"])
def test_the_emulator_is_close_to_the_float_network_on_the_same_schedule(schedule):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    network, ids = evicting(network_of(model)), np.random.default_rng(0).integers(0, 130, 24).tolist()
    exact = DeviceText(Session(model, EmulatorDevice(CPU)), schedule, BEACON_ID).append(ids) / 2.0**LOGIT_FRACTION
    assert cosine(exact, scheduled_logits(network, ids, schedule, BEACON_ID)).min() > 0.995
    assert cosine(exact, scheduled_logits(network, ids, everything(24), BEACON_ID))[8:].min() < 0.98


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_without_a_row_that_leaves_it_is_the_plain_network(network):
    ids = torch.randint(280, (20,), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(ids[None])[0].numpy()
    found = scheduled_logits(evicting(network), ids.tolist(), everything(20), BEACON_ID)
    assert np.allclose(found, expected, atol=1e-4)


def test_texts_of_a_batch_do_not_touch_each_other(network):
    ids = torch.randint(280, (16,), generator=torch.Generator().manual_seed(0))
    nothing = torch.full_like(ids, NOWHERE)
    short, long = (ScheduledText(ids, ids, nothing, schedule) for schedule in (everything(16), beacons(16, 8, [2])))
    together, targets = scheduled([short, long], BEACON_ID)
    alone, _ = scheduled([short], BEACON_ID)
    with torch.no_grad():
        network = evicting(network)
        assert torch.allclose(network(together)[0, :16], network(alone)[0], atol=1e-5)
    assert (targets[0, 16:] == IGNORED).all()
    assert (targets[1] == IGNORED).tolist() == (long.schedule.tokens == BEACON).tolist()


def test_rows_are_told_where_to_look():
    schedule, answers = beacons(8, 4, [2]), torch.full((8,), NOWHERE)
    answers[3], answers[6], answers[7] = 1, 1, 5  # in its unit; in one that left; in its own
    inputs, _ = scheduled([ScheduledText(torch.arange(8), torch.arange(8), answers, schedule)], BEACON_ID)
    before, told = inputs[0, 3].tolist(), inputs[0, 4].tolist()
    row = {int(token): place for place, token in enumerate(schedule.tokens) if token != BEACON}
    assert before[row[0]] == NOWHERE and before[row[3]] == row[2]
    assert before[row[4]] == row[3] + 1, "the beacon behind a token that left"
    assert told[row[3]] == row[1] and told[row[7]] == row[5]
    assert told[row[6]] == row[1] + 1
    assert all(told[place] == NOWHERE for place in (row[0], *np.flatnonzero(schedule.tokens == BEACON)))
