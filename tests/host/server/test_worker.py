"""The engine's thread: what it hands out, what a failing pass leaves behind, what is ended with it."""

import asyncio

import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.reply import Finish
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.server.api_error import ApiError
from host.server.worker import Worker
from models.errors import DeviceError
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(FAMILIES["one head"], seed=1)


def request(prompt, limit=5):
    return Request(prompt, Sampler(0.0), limit, ends=())


def working(visit, room=8):
    """Runs `visit(worker)` beside a worker's thread."""
    worker = Worker(Engine(Session(MODEL, EmulatorDevice(CPU, threads=1), sequences=2)), room)

    async def run():
        worker.start(asyncio.get_running_loop())
        try:
            return await visit(worker)
        finally:
            worker.stop()

    return asyncio.run(run()), worker


async def read(ticket):
    return [update async for update in ticket.updates()]


def test_updates_are_what_the_reply_becomes():
    async def visit(worker):
        tickets = worker.submit([request([1, 2]), request([3]), request([4, 5])])
        return tickets, await asyncio.gather(*map(read, tickets))

    (tickets, updates), worker = working(visit)
    alone = Engine(Session(MODEL, EmulatorDevice(CPU, threads=1)))
    for ticket, given in zip(tickets, updates, strict=True):
        assert [token for update in given for token in update.ids] == ticket.ids == ticket.reply.ids
        assert ticket.ids == alone.complete(request(ticket.reply.request.ids)).ids
        assert [update.finish for update in given] == [None] * 4 + [Finish.LIMIT] and ticket.finish == Finish.LIMIT
    assert worker.tally.finished == {"limit": 3} and worker.tally.generated == 15 and worker.load == 0


def test_all_of_a_request_or_none_is_queued():
    async def visit(worker):
        with pytest.raises(ApiError, match="token id 99 is outside"):
            worker.submit([request([1]), request([99])])
        idle = worker.engine.idle
        with pytest.raises(ApiError, match="3 answers are asked for; there is room for 2"):
            worker.submit([request([1])] * 3)
        running = worker.submit([request([1], None)])
        with pytest.raises(ApiError, match="1 requests run or wait; there is room for 2"):
            worker.submit([request([1])] * 2)
        worker.cancel(running)
        return worker.load, idle

    (load, idle), worker = working(visit, room=2)
    assert load == 0 and idle and worker.tally.refused == 1 and worker.tally.finished == {"cancelled": 1}


def test_a_silent_request_hands_out_its_end_alone():
    async def visit(worker):
        ticket, = worker.submit([request([1, 2], 1)], silent=True)
        return await read(ticket)

    (update,), _ = working(visit)
    assert update.finish == Finish.LIMIT and not update.ids and not update.text


def test_a_pass_that_fails_ends_those_who_are_there_and_nobody_else(monkeypatch):
    def failing(*_):
        raise DeviceError("the device stopped")

    async def visit(worker):
        monkeypatch.setattr(Session, "advance", failing)
        tickets = worker.submit([request([1]), request([2])])
        for ticket in tickets:
            with pytest.raises(ApiError, match="the device stopped") as caught:
                await read(ticket)
            assert caught.value.status == 500
        failed = worker.failure
        monkeypatch.undo()
        ticket, = worker.submit([request([3])])
        await read(ticket)
        return failed, worker.failure, ticket.ids

    (failed, failure, ids), worker = working(visit)
    assert failed == "the device stopped" and failure is None and len(ids) == 5 and worker.load == 0


def test_what_is_cancelled_hands_out_nothing_more():
    async def visit(worker):
        ticket, = worker.submit([request([1], 40)])
        async for _ in ticket.updates():
            break
        worker.cancel([ticket])
        other, = worker.submit([request([2], 3)])
        await read(other)
        return ticket, other

    (ticket, other), worker = working(visit)
    assert ticket.reply.finish == Finish.CANCELLED and len(ticket.reply.ids) < 40 and len(other.ids) == 3
    assert worker.tally.finished == {"cancelled": 1, "limit": 1}


def test_stopping_ends_what_runs():
    async def visit(worker):
        ticket, = worker.submit([request([1], None)])
        return ticket

    ticket, _ = working(visit)
    assert ticket.reply.finish == Finish.CANCELLED
