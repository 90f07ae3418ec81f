"""Serve a model over HTTP: `python -m host.serve --model DIR`, then http://127.0.0.1:8080."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from host.board.energy import EnergyMeter
from host.board.sensors import power_sensor
from host.chat_template import load_chat_template
from host.command_line import add_head_option, add_model_options, open_model, start_session
from host.engine.engine import Engine
from host.pipeline.placement import place
from host.speculation import DRAFTS
from host.stage_options import Chosen, chosen_stages
from host.text import Text
from models.checkpoint import load_generation
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.registers import SEQUENCES

if TYPE_CHECKING:
    from host.server.served import Served

__all__ = ["main", "parser"]

KEY_VARIABLE = "TRITLOOM_API_KEY"
_LOCAL = ("127.0.0.1", "localhost", "::1")


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.serve", description="An OpenAI-compatible server, and a page to talk with.")
    add_model_options(parser)
    parser.set_defaults(model="chat")
    add_head_option(parser)
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="to listen at (default: 127.0.0.1, this machine alone)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="0: a free one (default: 8080)")
    parser.add_argument("--api-key", metavar="KEY", help=f"asked of every client (default: ${KEY_VARIABLE}, else none)")
    parser.add_argument("--alias", metavar="NAME", help="what the model is called (default: its folder's name)")
    parser.add_argument("--sequences", type=int, default=8, metavar="S",
                        help="requests that run side by side, each with its own cache (default: 8)")
    parser.add_argument("--queue", type=int, default=64, metavar="N",
                        help="requests that wait beside those; further ones are refused with 429 (default: 64)")
    parser.add_argument("--max-tokens", type=int, metavar="N",
                        help="new tokens of a request at most (default: what the context has room for)")
    parser.add_argument("--max-body", type=int, default=8, metavar="MIB", help="of a request, MiB (default: 8)")
    parser.add_argument("--speculate", type=int, nargs="?", const=DRAFTS, default=0, metavar="K",
                        help="check K drafts a pass where a request does not say (default: none; of K: "
                             f"{DRAFTS})")
    parser.add_argument("--cors", action="append", default=[], metavar="ORIGIN",
                        help="a web origin whose pages may ask, * for all; may be given several times")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    _check(options)
    for needed in ("uvicorn", "host.server.application"):  # may not be installed
        import_module(needed)
    with _listen(options.host, options.port) as listening:
        _serve(options, listening)


def _serve(options: argparse.Namespace, listening: socket.socket) -> None:
    import uvicorn

    from host.server.application import application

    served = open_served(options)
    hosts = [*_LOCAL, options.host] if options.host in _LOCAL else None
    key = options.api_key or os.environ.get(KEY_VARIABLE) or None
    app = application(served, key=key, largest=options.max_body << 20, cors=options.cors, hosts=hosts)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, ws="none",
                                           server_header=False))
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if options.host not in _LOCAL and key is None:
        print(f"note: whoever reaches {options.host} may ask; --api-key names a key", file=sys.stderr)
    if options.json:
        print(json.dumps({"url": url, "model": served.name, "device": options.device}), flush=True)
    print(f"{served.name} on {options.device} at {url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    try:
        server.run(sockets=[listening])
    finally:
        served.session.device.close()


def open_served(options: argparse.Namespace) -> Served:
    """The model of the options on its device, ready to serve."""
    from host.server.adjustable import Adjustable
    from host.server.served import Limits, Served
    from host.server.worker import Worker

    model = open_model(options)
    chosen = chosen_stages(options, model)
    sliders = [named for named in chosen.stages if named.stage.kind == "steering"]
    others = [named for named in chosen.stages if named.stage.kind != "steering"]
    fixed = Chosen(others, place([stage for _, stage in others], model, options.place), options.place)
    text, template = Text(model.folder), load_chat_template(model.folder)
    ends = frozenset(model.config.eos_ids) | frozenset(template.end_ids(text) if template else ())
    session = start_session(options, model, fixed, progress=True, sequences=options.sequences)
    if options.device != "emulator":
        session.profile()
    engine = Engine(session, text)
    limits = Limits(options.max_tokens, options.speculate, options.sequences + options.queue)
    return Served(options.alias or Path(options.model).name or "model", engine, text, template, Adjustable(sliders),
                  limits, Worker(engine, limits.room), ends, fixed.report(model), options.device,
                  load_generation(model.folder), EnergyMeter(power_sensor()).start())


def _check(options: argparse.Namespace) -> None:
    for name, low, high in (("sequences", 1, SEQUENCES), ("queue", 0, 10**6), ("max_tokens", 1, 2**31),
                            ("port", 0, 65535), ("max_body", 1, 1024), ("speculate", 0, 2**31)):
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise OptionError(f"--{name.replace('_', '-')} must be {low} to {high}, got {value}")


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, before a model is loaded for nothing."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise OptionError(f"cannot listen at {host} port {port}: {reason}") from None


if __name__ == "__main__":
    run_command(main)
