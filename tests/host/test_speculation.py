"""Drafts change the number of passes, never a token: greedy or drawn, whatever the model, the drafts or the kernels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.engine.engine import Engine
from host.engine.reply import Finish
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.speculation import PromptLookup
from models.errors import OptionError
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.emulator.test_properties import TINY, cases, model_of, taps_of

TOKENS = 24


class Oracle(PromptLookup):
    """Drafts from the text that plain decoding gave, some of them wrong by a random choice."""

    def __init__(self, drafts, truth, rng, wrong=0.2):
        super().__init__(drafts)
        self._truth, self._rng, self._wrong = truth, rng, wrong

    def propose(self, limit):
        ahead = self._truth[len(self._ids):][:min(limit, self.drafts)]
        return [token + 1 if token and self._rng.random() < self._wrong else token for token in ahead]


def spoken(session, prompt, count, sampler, lookup=None, ends=()):
    """The reply; after each pass, the cache must hold all before its last id."""
    engine = Engine(session)
    reply = engine.add(Request(prompt, sampler, count, ends=ends, drafts=lookup))
    for _ in engine.run(reply):
        assert session.position == len(prompt) + len(reply.ids) - (reply.finish != Finish.END)
    return reply


any_drafts = given(cases(tokens_max=TOKENS), st.integers(1, 9), st.sampled_from([0.0, 0.0, 0.8, 3.0]),
                   st.sampled_from([1.0, 1.0, 1.3]), st.integers(2, 6))


@any_drafts
@settings(max_examples=6, deadline=None, derandomize=True)
def test_drafts_change_no_token_of_any_small_model(case, drafts, temperature, penalty, period):
    check_drafts(case, drafts, temperature, penalty, period)


@pytest.mark.slow
@any_drafts
@settings(max_examples=60, deadline=None, database=None, print_blob=True)
def test_drafts_change_no_token_of_many_more(case, drafts, temperature, penalty, period):
    check_drafts(case, drafts, temperature, penalty, period)


def check_drafts(case, drafts, temperature, penalty, period):
    model, taps, rng = model_of(case), taps_of(case), np.random.default_rng(case.seed + 4)
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    vocab = case.config.vocab_size
    prompt = np.resize(rng.integers(0, vocab, period), 9).tolist()  # something to look up
    expected = None
    for path in [*native_paths()][:1] + [NUMPY]:
        note(f"kernels {path}")
        session = Session(model, EmulatorDevice(build, kernels=path, threads=case.threads), taps=taps)

        def sampler():
            return Sampler(temperature, seed=7, repeat_penalty=penalty)

        plain = spoken(session, prompt, TOKENS - len(prompt), sampler()).ids
        cache = [session.cache(layer) for layer in range(case.config.layers)]
        expected = expected or plain
        truth = [*prompt, *plain]
        for lookup in (PromptLookup(drafts), Oracle(drafts, truth, rng, 0.0 if vocab == 1 else 0.2)):
            if isinstance(lookup, Oracle) and max(truth) + 1 >= vocab:
                lookup._wrong = 0.0
            reply = spoken(session, prompt, TOKENS - len(prompt), sampler(), lookup)
            assert reply.ids == plain == expected
            assert 1 <= reply.passes <= len(plain) - 1 == reply.passes + reply.accepted
            for layer, before in enumerate(cache):
                after = session.cache(layer)
                assert all((after[name] == before[name]).all() for name in before)


@pytest.fixture
def demo():
    from models.checkpoint import load_model
    return Session(load_model("demo"), EmulatorDevice(CPU))


def test_right_drafts_are_all_taken(demo):
    prompt = [0, 5, 9, 700]
    plain = spoken(demo, prompt, 33, Sampler(0.0)).ids
    lookup = Oracle(7, [*prompt, *plain], np.random.default_rng(0), wrong=0.0)
    reply = spoken(demo, prompt, 33, Sampler(0.0), lookup)
    assert reply.ids == plain and reply.passes == 4  # 32 tokens after the first, eight a pass
    assert reply.drafted == reply.accepted == 28


def test_wrong_drafts_cost_no_token(demo):
    prompt = [0, 5, 9, 700]
    plain = spoken(demo, prompt, 20, Sampler(0.0)).ids
    lookup = Oracle(7, [*prompt, *plain], np.random.default_rng(0), wrong=1.0)
    reply = spoken(demo, prompt, 20, Sampler(0.0), lookup)
    assert reply.ids == plain and reply.passes == 19 and reply.accepted == 0 < reply.drafted


def test_an_end_of_text_among_the_drafts_ends_it(demo):
    prompt = [0, 5, 9, 700]
    plain = spoken(demo, prompt, 20, Sampler(0.0)).ids
    end = plain[10]
    until = plain.index(end)
    lookup = Oracle(7, [*prompt, *plain], np.random.default_rng(0), wrong=0.0)
    assert spoken(demo, prompt, 20, Sampler(0.0), lookup, {end}).ids == plain[:until]
    assert demo.position == len(prompt) + until


def test_a_draft_never_runs_over_the_context():
    model = synthetic_model(FAMILIES["one head"], seed=1)
    session = Session(model, EmulatorDevice(CPU))
    plain = spoken(session, [1, 2, 1, 2, 1], session.context - 4, Sampler(0.0)).ids
    assert spoken(session, [1, 2, 1, 2, 1], None, Sampler(0.0), PromptLookup(40)).ids == plain
    assert session.position == session.context


def test_more_rows_than_a_pass_has_are_refused():
    session = Session(synthetic_model(FAMILIES["one head"], seed=1), EmulatorDevice(CPU))
    session.rows = 8
    assert len(spoken(session, [1], 5, Sampler(0.0), PromptLookup(7)).ids) == 5
    with pytest.raises(OptionError, match="^8 drafts take 9 rows of a pass, but build cpu has 8"):
        spoken(session, [1], 5, Sampler(0.0), PromptLookup(8))


def proposed(text, limit=9, drafts=9):
    lookup = PromptLookup(drafts)
    lookup.extend(text)
    return lookup.propose(limit)


def test_the_longest_match_counts_then_the_latest():
    assert proposed([1, 2, 3, 4, 9, 9, 3, 5, 5, 1, 2, 3], 2) == [4, 9]  # after 1 2 3, not after the later 3
    assert proposed([7, 1, 7, 2, 7], 1) == [2]
    assert proposed([1, 2, 3, 8, 4, 1, 2, 3, 9, 4, 1, 2, 3], 1) == [9]


def test_a_copy_at_the_end_goes_on_with_itself():
    assert proposed([5, 1, 2, 1, 2], 6) == [1, 2, 1, 2, 1, 2]
    assert proposed([4, 4], 3) == [4, 4, 4]


def test_nothing_to_copy_is_no_draft():
    assert proposed([]) == proposed([1]) == proposed([1, 2, 3]) == proposed([1, 1, 1], 0) == []


def test_drafts_are_as_many_as_asked_for():
    assert len(proposed([1, 1], 100, 5)) == 5
    with pytest.raises(OptionError, match="drafts must be at least 1, got 0"):
        PromptLookup(0)
