"""The engine's promises: what it shares, what it reuses, what it refuses, what an error leaves behind."""

from functools import partial

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.engine.engine import Engine
from host.engine.reply import Finish
from host.engine.request import Request, check_room
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.runtime import Session
from host.sampler import Sampler
from host.speculation import PromptLookup
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

ONE_HEAD = synthetic_model(FAMILIES["one head"], seed=1)


def session_of(sequences=1, model=ONE_HEAD, rows=None):
    session = Session(model, EmulatorDevice(CPU, threads=1), sequences=sequences)
    session.rows = rows or session.rows
    return session


def greedy(ids, limit=5, **options):
    return Request(ids, Sampler(0.0), limit, **{"ends": (), **options})


def alone(request):
    return Engine(session_of()).complete(request).ids


@pytest.mark.parametrize(("build", "kernels", "name"), [
    (CPU, "auto", "relu2 grouped heads"), (BUILDS["sim-tiny"], "auto", "silu full heads"), (CPU, NUMPY, "llama plain")])
@pytest.mark.parametrize(("sequences", "temperature"), [
    pytest.param(1, 0.0, marks=pytest.mark.slow), (3, 0.0), (5, 0.9)])
def test_each_prompt_gets_what_it_gets_alone(build, kernels, name, sequences, temperature):
    model, rng = synthetic_model(FAMILIES[name], seed=1), np.random.default_rng(2)
    prompts = [rng.integers(0, model.config.vocab_size, size).tolist() for size in (3, 1, 9, 20, 2, 7, 1)]
    device = partial(EmulatorDevice, build, kernels=kernels)

    def requests(count, ends):
        return [Request(prompt, Sampler(temperature, seed=seed), count, ends) for seed, prompt in enumerate(prompts)]

    def one_by_one(count, ends):
        one = Session(model, device())
        return [Engine(one).complete(request) for request in requests(count, ends)]

    ends = set(one_by_one(5, ())[2].ids[2:3])  # one ends early, others may
    expected = one_by_one(17, ends)
    assert len({len(reply.ids) for reply in expected}) > 1 and expected[2].finish == Finish.END
    engine = Engine(Session(model, device(), sequences=sequences))
    found = [engine.add(request) for request in requests(17, ends)]
    passes = sum(1 for _ in engine.run())
    assert [(reply.ids, reply.finish) for reply in found] == [(reply.ids, reply.finish) for reply in expected]
    assert engine.idle and engine.step() == []
    rows = min(sequences, engine.session.rows)
    assert passes < sum(len(reply.ids) + 1 for reply in expected) or rows == 1
    assert engine.work.passes == sum(reply.passes for reply in found) or rows > 1


def test_a_device_of_few_rows_takes_several_passes():
    prompts, found = [[1, 2], [3], [4, 5, 6], [7], [8]], {}
    for rows in (1, 2, 128):
        engine = Engine(session_of(5, rows=rows))
        replies = [engine.add(greedy(prompt, 6)) for prompt in prompts]
        passes = sum(1 for _ in engine.run())
        assert passes >= -(-(8 + 5 * 5) // rows)  # a row for each id but the last of each
        found[rows] = [reply.ids for reply in replies]
    assert found[1] == found[2] == found[128] and passes == 7


def test_a_late_request_runs_in_pieces_beside_the_others():
    engine = Engine(session_of(2, rows=4))
    first = engine.add(greedy([1, 2, 3], 30))
    engine.step()
    late, grown = engine.add(greedy(list(range(10)), 3)), []
    for _ in engine.run(late):
        grown.append((len(first.ids), late.prompt_done, len(late.ids)))
    assert grown == [(2, 3, 0), (3, 6, 0), (4, 9, 0), (5, 10, 1), (6, 10, 2), (7, 10, 3)]
    assert first.finish is None and late.ids == alone(greedy(list(range(10)), 3))


def test_a_prompt_ends_beside_decoding_with_a_pass_of_its_own_head():
    engine = Engine(session_of(2))
    first = engine.add(greedy([1, 2, 3], 30))
    engine.step()
    late = engine.add(greedy([4, 5, 6, 7], 3))
    assert engine.step() == [late, first] and (len(first.ids), len(late.ids)) == (2, 1)


def test_eight_prompts_of_sixteen_tokens_are_two_passes():
    engine, rng = Engine(session_of(8)), np.random.default_rng(0)
    replies = [engine.add(greedy(rng.integers(0, 33, 16).tolist(), 1)) for _ in range(8)]
    assert [len(moved) for moved in engine.run()] == [8, 7]
    assert all(reply.ids == alone(reply.request) for reply in replies)


def test_what_a_cache_holds_does_not_run_again():
    engine = Engine(session_of(3))
    turn = engine.complete(greedy([1, 2, 3, 4, 5], 4))
    other = engine.complete(greedy([9, 8, 7], 4))
    assert turn.cached == other.cached == 0
    again = engine.complete(greedy([1, 2, 3, 4, 5, *turn.ids, 6, 7], 4))
    assert again.cached == 8 and again.ids == alone(greedy(again.request.ids, 4))  # the last id never went in
    same = engine.complete(greedy([9, 8, 7], 4))
    assert same.cached == 2 and same.ids == other.ids  # the last one runs: what follows it is wanted


def test_of_drafts_the_cache_holds_those_that_stood():
    engine = Engine(session_of(1))
    turn = engine.complete(greedy([1, 2, 3, 4, 5], 20, drafts=PromptLookup(3)))
    assert turn.accepted and turn.ids == alone(greedy([1, 2, 3, 4, 5], 20))
    again = engine.complete(greedy([1, 2, 3, 4, 5, *turn.ids, 6, 7], 4))
    assert again.cached == 24 and again.ids == alone(greedy(again.request.ids, 4))


def test_an_unrelated_request_takes_the_sequence_used_least_recently():
    engine = Engine(session_of(2))
    engine.complete(greedy([1, 2, 3, 4]))
    engine.complete(greedy([11, 12, 13, 14]))
    engine.complete(greedy([1, 2, 3, 4, 5]))
    engine.complete(greedy([21, 22]))
    assert engine.complete(greedy([1, 2, 3, 4, 6])).cached == 4
    assert engine.complete(greedy([11, 12, 13, 14])).cached == 0


def test_a_cache_that_other_stages_filled_is_not_reused():
    vectors = np.random.default_rng(3).standard_normal((ONE_HEAD.config.layers, ONE_HEAD.config.hidden_size))
    stage = DifferenceOfMeans({"vectors": vectors})
    engine = Engine(session_of())
    steered = engine.complete(greedy([1, 2, 3, 4], stages=(stage,)))
    plain = engine.complete(greedy([1, 2, 3, 4]))
    assert (steered.cached, plain.cached) == (0, 0) and plain.ids == alone(greedy([1, 2, 3, 4]))
    engine.complete(greedy([1, 2, 3, 4], stages=(stage,)))
    assert engine.complete(greedy([1, 2, 3, 4, 5], stages=(stage,))).cached == 4
    assert engine.complete(greedy([1, 2, 3, 4, 5], stages=(stage.with_strength(2),))).cached == 0
    with pytest.raises(OptionError, match="no site"):
        wide = DifferenceOfMeans({"vectors": np.ones((ONE_HEAD.config.layers + 1, ONE_HEAD.config.hidden_size))})
        engine.add(greedy([1], stages=(wide,)))


def test_of_several_sequences_the_one_that_shares_most():
    engine = Engine(session_of(3))
    for ids in ([1, 2, 9, 9], [1, 2, 3, 4, 9], [1, 9, 9, 9]):
        engine.add(greedy(ids))
    for _ in engine.run():
        pass
    assert engine.complete(greedy([1, 2, 3, 4, 5])).cached == 4
    assert engine.complete(greedy([1, 2, 9, 9])).cached == 3


def test_a_start_that_all_have_does_not_take_a_conversation_while_a_sequence_is_empty():
    engine, start = Engine(session_of(2)), [1, 2, 3]
    first = engine.complete(greedy([*start, 4, 5, 6, 7, 8, 9, 10, 11], 4))
    assert engine.complete(greedy([*start, 20], 4)).cached == 0
    again = engine.complete(greedy([*first.request.ids, *first.ids, 12], 4))
    assert again.cached == 14
    assert engine.complete(greedy([*start, 21], 4)).cached == 3  # both are taken: the one used least recently goes on


@pytest.mark.parametrize("passes", [0, 1, 2, 5])
def test_a_cancelled_request_makes_room_and_leaves_what_it_ran(passes):
    engine = Engine(session_of(1, rows=3))
    first, second = engine.add(greedy([1, 2, 3, 4, 5], 20)), engine.add(greedy([7], 2))
    for _ in range(passes):
        engine.step()
    engine.cancel(first)
    said = list(first.ids)
    assert first.finish == Finish.CANCELLED and len(said) == max(0, passes - 1)
    run_all(engine)
    assert second.finish == Finish.LIMIT and first.ids == said == alone(greedy([1, 2, 3, 4, 5], 20))[:len(said)]
    engine.cancel(second)
    assert second.finish == Finish.LIMIT


def test_a_cancelled_prompt_goes_on_where_it_was():
    engine = Engine(session_of(1, rows=3))
    first = engine.add(greedy([1, 2, 3, 4, 5, 6, 7], 3))
    engine.step()
    engine.cancel(first)
    again = engine.complete(greedy([1, 2, 3, 4, 5, 6, 7], 3))
    assert again.cached == 3 and again.ids == alone(greedy([1, 2, 3, 4, 5, 6, 7], 3))


def test_a_request_that_waits_can_be_cancelled():
    engine = Engine(session_of(1))
    first, second = engine.add(greedy([1])), engine.add(greedy([2]))
    engine.step()
    engine.cancel(second)
    assert second.finish == Finish.CANCELLED and second.prefill_s == 0
    run_all(engine)
    assert first.finish == Finish.LIMIT and second.ids == []


@pytest.mark.parametrize("after", [False, True])
def test_a_pass_that_fails_is_run_again(monkeypatch, after):
    engine, advance = Engine(session_of(2)), Session.advance
    replies = [engine.add(greedy([1, 2, 3], 6, drafts=PromptLookup(3))), engine.add(greedy([4], 6))]
    engine.step()
    engine.step()

    def failing(session, *pass_):
        if after:
            advance(session, *pass_)
        engine.cancel(replies[1])  # while the pass runs
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "advance", failing)
    with pytest.raises(KeyboardInterrupt):
        engine.step()
    monkeypatch.undo()
    said = list(replies[1].ids)
    third = engine.add(greedy([4], 6))
    run_all(engine)
    assert replies[0].ids == alone(greedy([1, 2, 3], 6)) and replies[1].ids == said and said
    assert third.ids == alone(greedy([4], 6))


def test_a_sampler_that_fails_takes_nothing_from_the_others():
    engine, failed = Engine(session_of(3)), []

    def failing(top, history):
        if len(history) == 3 and not failed:
            failed.append(history[:])
            raise ValueError("no choice")
        return int(top.ids[0])

    replies = [engine.add(greedy([1], 6)), engine.add(Request([2], failing, 6, ())), engine.add(greedy([3], 6))]
    with pytest.raises(ValueError, match="no choice"):
        run_all(engine)
    run_all(engine)
    assert failed and [reply.ids for reply in replies] == [alone(greedy([token], 6)) for token in (1, 2, 3)]


def test_the_context_ends_a_reply_that_has_no_limit_or_a_longer_one():
    context = ONE_HEAD.config.context
    for limit, finish in ((None, Finish.CONTEXT), (10_000, Finish.CONTEXT), (context - 2, Finish.CONTEXT),
                          (context - 3, Finish.LIMIT)):
        reply = Engine(session_of()).complete(greedy([1, 2, 3], limit))
        assert reply.finish == finish and len(reply.ids) == min(limit or context, context - 2)


@pytest.mark.parametrize(("request_", "message"), [
    (greedy([]), "the prompt is empty: there is no token to start from"),
    (greedy([1, 33]), "token id 33 is outside the vocabulary of 33"),
    (greedy([10**30]), "a token id is far outside the vocabulary of 33"),
    (greedy([1] * 65), "a prompt of 65 tokens exceeds the context of 64"),
    (greedy([1], 0), "new tokens must be at least 1, got 0"),
    (greedy([1], drafts=PromptLookup(8)), "8 drafts take 9 rows of a pass, but build cpu has 8"),
    (greedy([1], stops=("a", "")), "a stop string must not be empty"),
    (greedy([1], stops=("a",)), "stop strings need a tokenizer"),
])
def test_what_no_session_can_do_is_refused_at_once(request_, message):
    engine = Engine(session_of(rows=8))
    with pytest.raises(OptionError, match=f"^{message}$"):
        engine.add(request_)
    assert engine.idle


def test_who_takes_no_fewer_tokens_is_told_so():
    check_room(60, 5, 64)
    with pytest.raises(OptionError, match="^prompt 2 of 60 tokens and 6 new ones exceed the context of 64$"):
        check_room(60, 6, 64, "prompt 2")
    with pytest.raises(OptionError, match="^new tokens must be at least 1, got 0$"):
        check_room(1, 0, 64)


def run_all(engine):
    """Run all there is."""
    for _ in engine.run():
        pass
