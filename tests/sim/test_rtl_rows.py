"""A build of two groups of two rows that take turns: a prompt, sequences and drafts, with the emulator's bits."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from models.checkpoint import load_model
from models.machine.registers import SEQUENCES
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.devices.test_emulator import random_ids, random_taps
from tests.host.test_speculation import Oracle
from tests.sim.cores import FOUR_SLOTS
from tests.sim.test_rtl_device import check_best, check_equal


@pytest.fixture(scope="module")
def rtl():
    device = RtlDevice(FOUR_SLOTS)
    yield device
    device.close()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_full_passes_and_a_last_odd_one_equal_the_emulator(name, rtl):
    model = synthetic_model(FAMILIES[name], seed=1)
    taps = random_taps(model.config, seed=2)
    emulated, simulated = (Session(model, device, taps=taps) for device in (EmulatorDevice(FOUR_SLOTS), rtl))
    rtl.configure(stall_probability=0.1, seed=3)
    check_equal(emulated, simulated, random_ids(model.config, 11))


def test_rows_share_the_weights(rtl):
    model = synthetic_model(FAMILIES["llama plain"], seed=4)
    ids = random_ids(model.config, 4)
    session = Session(model, rtl)
    rtl.configure()
    read = []
    for pieces in ((ids,), (ids[:1], ids[1:2], ids[2:3], ids[3:])):
        session.reset()
        before = sum(rtl.core.bytes_read)
        for piece in pieces:
            session.feed(piece)
        read.append(sum(rtl.core.bytes_read) - before)
    assert read[0] < 0.6 * read[1]  # a stream for each of two groups, not for each of four rows


@pytest.mark.parametrize("name", list(FAMILIES))
def test_passes_of_several_sequences_equal_the_emulator(name, rtl):
    """Sequences of different lengths, in any order of rows, one of them the last that there is."""
    model = synthetic_model(FAMILIES[name], seed=5)
    ids, last = random_ids(model.config, 40).tolist(), SEQUENCES - 1
    pair = [Session(model, device, sequences=SEQUENCES) for device in (EmulatorDevice(FOUR_SLOTS), rtl)]
    rtl.configure(stall_probability=0.1, seed=6)
    found = []
    for session in pair:
        session.feed(ids[:18], sequence=last)  # more than a block of the cache
        session.feed(ids[18:21], sequence=2)
        passes = ([(last, ids[21:22]), (0, ids[22:23]), (2, ids[23:25])], [(2, ids[25:26]), (last, ids[26:29])],
                  [(0, ids[29:30]), (1, ids[30:31]), (2, ids[31:32]), (last, ids[32:33])])
        found.append(np.concatenate([session.score_parts(parts) for parts in passes]))
    assert (found[0] == found[1]).all()
    for sequence in (0, 1, 2, last):
        for layer in range(model.config.layers):
            expected, stored = (session.cache(layer, sequence) for session in pair)
            assert all((expected[what] == stored[what]).all() for what in expected), (layer, sequence)


@pytest.mark.parametrize("vocab", [130, 3333])
def test_shortlists_of_all_rows_equal_the_emulator(vocab, rtl):
    """Rows of two groups, some of one sequence; lists of earlier passes forgotten."""
    model = synthetic_model(replace(FAMILIES["llama plain"], vocab_size=vocab), seed=8)
    ids = random_ids(model.config, 20).tolist()
    pair = [Session(model, device, sequences=3, head="shortlist") for device in (EmulatorDevice(FOUR_SLOTS), rtl)]
    rtl.configure(stall_probability=0.1, seed=9)
    passes = ([(2, ids[6:9]), (0, ids[9:10])], [(1, ids[10:11]), (2, ids[11:12])], [(0, ids[12:15])])
    check_best(*([session.prefill(ids[:6]), *(top for parts in passes for top in session.advance(parts))]
                 for session in pair))


def test_batches_and_drafts_give_the_tokens_of_plain_decoding(rtl):
    model = load_model("demo")
    prompts = [random_ids(model.config, n, seed=n).tolist() for n in (3, 2, 5)]
    rtl.configure()

    def request(prompt, drafts=None):
        return Request(prompt, Sampler(0.0), 5, drafts=drafts)

    expected = [Engine(Session(model, EmulatorDevice(FOUR_SLOTS))).complete(request(prompt)).ids for prompt in prompts]
    engine = Engine(Session(model, rtl, sequences=2))
    replies = [engine.add(request(prompt)) for prompt in prompts]
    beside = [[reply.prompt_done < len(reply.request.ids) for reply in moved] for moved in engine.run()]
    assert [reply.ids for reply in replies] == expected
    assert any(len(set(pass_)) == 2 for pass_ in beside)  # a piece of a prompt and decoding in one pass
    drafts = Oracle(3, prompts[0] + expected[0], np.random.default_rng(7))
    reply = Engine(Session(model, rtl)).complete(request(prompts[0], drafts))
    assert reply.ids == expected[0] and reply.passes < 4
