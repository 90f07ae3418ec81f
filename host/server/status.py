"""GET /health, /v1/status and /v1/stages: whether it works, how fast, and what acts."""

from __future__ import annotations

import time

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.server.api_error import JSONAnswer
from host.server.served import Served

__all__ = ["health", "list_stages", "status"]


async def health(served: Served, _: HttpRequest) -> Response:
    """200 unless the last pass failed."""
    failure = served.worker.failure
    if failure is None:
        return JSONAnswer({"status": "ok"})
    return JSONAnswer({"status": "error", "message": failure}, 503)


async def list_stages(served: Served, _: HttpRequest) -> Response:
    """What a request may set, and what acts on everybody."""
    adjustable = [{"name": name, "kind": stage.kind, "method": stage.method, "strength": stage.strength,
                   "adjustable": True} for name, stage in served.stages.stages.items()]
    acting = [{"name": row["stage"], "kind": row["kind"], "method": row["method"], "strength": row["strength"],
               "adjustable": False} for row in served.acting]
    return JSONAnswer({"object": "list", "data": adjustable + acting})


async def status(served: Served, _: HttpRequest) -> Response:
    """For the page: what runs on what, how fast, and where the time goes.

    `time.choosing_s` is the part of prefill_s and decode_s in which the host chose tokens. `engines`: the share of the
    device's cycles in which each engine worked, as several do at once more than 1 in all; empty where the device
    counts none.
    """
    session, worker, work = served.session, served.worker, served.engine.work
    load, sequences, cycles = worker.load, len(session.positions), session.counters.cycles
    engines = {name: busy / cycles for name, busy in session.counters.busy.items()} if cycles else {}
    return JSONAnswer({
        "model": served.name, "device": served.device, "board": session.device.build.name, "context": session.context,
        "sequences": sequences, "chat_template": served.template is not None, "uptime_s": time.time() - served.created,
        "requests": {"running": min(load, sequences), "waiting": max(0, load - sequences), "room": worker.room,
                     "finished": dict(worker.tally.finished), "refused": worker.tally.refused},
        "tokens": worker.tally.tokens(),
        "speed": {"decode_tokens_per_s": worker.tally.speed(),
                  "tokens_per_pass": work.decoded / work.passes if work.passes else 0.0},
        "time": {"prefill_s": work.prefill_s, "decode_s": work.decode_s, "choosing_s": work.choosing_s,
                 "cycles": cycles, "engines": engines},
        "saturations": session.saturations})
