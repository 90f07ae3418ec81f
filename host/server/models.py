"""GET /v1/models."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.server.api_error import ApiError, JSONAnswer
from host.server.served import Served

__all__ = ["check_model", "list_models", "one_model"]


async def list_models(served: Served, _: HttpRequest) -> Response:
    """The one model, in a list."""
    return JSONAnswer({"object": "list", "data": [_entry(served)]})


async def one_model(served: Served, http: HttpRequest) -> Response:
    """The model by its name."""
    check_model(served, http.path_params["model"])
    return JSONAnswer(_entry(served))


def check_model(served: Served, name: str | None) -> None:
    """`ApiError` for the name of another model; None: whichever is there."""
    if name is not None and name != served.name:
        raise ApiError(404, f"there is no model {name[:200]!r} here: this server has {served.name!r}", param="model",
                       code="model_not_found")


def _entry(served: Served) -> dict[str, Any]:
    config = served.session.model.config
    return {"id": served.name, "object": "model", "created": served.created, "owned_by": "tritloom",
            "meta": {"context": served.session.context, "vocabulary": config.vocab_size, "layers": config.layers,
                     "hidden_size": config.hidden_size, "chat_template": served.template is not None}}
