"""GET /health, /v1/status and /v1/stages: whether it works, how fast, and what acts."""

from __future__ import annotations

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
    """For the page: what runs on what, and how fast."""
    session = served.session
    return JSONAnswer({"model": served.name, "device": served.device, "board": session.device.build.name,
                       "context": session.context})
