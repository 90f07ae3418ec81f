"""Requests come and are cancelled from many threads while one thread runs the passes."""

import threading
from collections import deque

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.reply import Finish
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

THREADS, REQUESTS, LIMIT = 6, 12, 6
MODEL = synthetic_model(FAMILIES["one head"], seed=1)


def request(prompt):
    return Request(prompt, Sampler(0.0), LIMIT, ends=())


def test_add_and_cancel_from_many_threads():
    engine, barrier = Engine(Session(MODEL, EmulatorDevice(CPU, threads=1), sequences=3)), threading.Barrier(THREADS)
    replies, failures = [[] for _ in range(THREADS)], []

    def work(number):
        try:
            rng = np.random.default_rng(number)
            barrier.wait()
            for _ in range(REQUESTS):
                replies[number].append(engine.add(request([int(rng.integers(0, 33)), number])))
                if rng.random() < 0.4:
                    engine.cancel(replies[number][rng.integers(len(replies[number]))])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or not engine.idle:
        engine.step()
    assert not failures
    every = [reply for some in replies for reply in some]
    assert len(every) == THREADS * REQUESTS and {reply.finish for reply in every} == {Finish.LIMIT, Finish.CANCELLED}
    alone, known = Engine(Session(MODEL, EmulatorDevice(CPU, threads=1))), {}
    for reply in every:
        prompt = tuple(reply.request.ids)
        if prompt not in known:
            known[prompt] = alone.complete(request(prompt)).ids
        assert reply.ids == known[prompt][:len(reply.ids)]
        assert len(reply.ids) == LIMIT or reply.finish == Finish.CANCELLED


def test_cancelled_while_its_pass_runs(monkeypatch):
    """Nothing more comes, and its sequence is not given away before the pass is over."""
    engine, advance = Engine(Session(MODEL, EmulatorDevice(CPU, threads=1), sequences=1)), Session.advance
    first, second = engine.add(request([1, 2])), engine.add(request([3]))
    engine.step()

    def cancelling(session, *given):
        thread = threading.Thread(target=engine.cancel, args=(first,))
        thread.start()
        thread.join()
        assert first.finish == Finish.CANCELLED
        return advance(session, *given)

    monkeypatch.setattr(Session, "advance", cancelling)
    assert engine.step() == [first] and len(first.ids) == 1
    monkeypatch.undo()
    deque(engine.run(), maxlen=0)
    assert second.finish == Finish.LIMIT and len(second.ids) == LIMIT
