"""What stops cost on the emulator: `python -m scripts.experiments.measure_stops --model DIR`.

Decodes with no stop and with one a layer at each site in turn, identity as stage, interleaved in one process: tokens a
second, and the ratio to no stop in the same round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from tqdm import tqdm

from host.command_line import add_model_options, open_model
from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Site, points_of
from host.runtime import Session
from models.checkpoint import Model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked

__all__ = ["decode_rate", "main", "rates", "table"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "measurements.md"
_START, _END = "<!-- stops: written by scripts.experiments.measure_stops --record -->", "<!-- stops: end -->"
_PROMPT = 16


def rates(model: Model, tokens: int, rounds: int, *, threads: int | None = None, kernels: str = "auto"
          ) -> dict[str, list[float]]:
    """Tokens a second by site, "none" first, one figure a round."""
    sessions = {}
    for site in ("none", *Site):
        points = [] if site == "none" else points_of(site, model.config)
        steps = HostSteps(model, stages={point: [lambda rows, unit: rows] for point in points})
        sessions[str(site)] = Session(model, EmulatorDevice(CPU, threads=threads, kernels=kernels), host_steps=steps)
    found: dict[str, list[float]] = {site: [] for site in sessions}
    for counted in tqdm(range(-1, rounds), "rounds", file=sys.stderr, leave=False, disable=not sys.stderr.isatty()):
        for site, session in sessions.items():
            rate = decode_rate(session, _PROMPT, tokens)
            if counted >= 0:
                found[site].append(rate)
    return found


def decode_rate(session: Session, prompt: int, tokens: int) -> float:
    """Tokens a second of decoding ids 1, 2, ... behind a prompt of the same."""
    session.reset()
    session.prefill(list(range(1, 1 + prompt)))
    started = time.perf_counter()
    for token in range(tokens):
        session.decode(1 + token)
    return tokens / (time.perf_counter() - started)


def table(found: Mapping[str, Sequence[float]]) -> str:
    """Markdown: medians, and the median of the rounds' ratios to no stop."""
    rows = []
    for site, values in found.items():
        ratio = median(value / none for value, none in zip(values, found["none"], strict=True))
        rows.append([site, f"{median(values):.1f}", f"{ratio:.2f}"])
    return markdown_table(["stop, one per layer", "tok/s", "of none"], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.measure_stops",
                           description="What stops of a pass cost on the emulator.")
    add_model_options(parser)
    parser.add_argument("-n", type=int, default=8, metavar="N", help="tokens decoded a round (default: 8)")
    parser.add_argument("--rounds", type=int, default=5, metavar="R", help="after one that warms up (default: 5)")
    parser.add_argument("--record", action="store_true", help="write the table into docs/measurements.md")
    options = parser.parse_args(arguments)
    if min(options.n, options.rounds) < 1:
        raise OptionError("-n and --rounds must be at least 1")
    options.context = options.context or _PROMPT + options.n
    found = table(rates(open_model(options), options.n, options.rounds, threads=options.threads,
                        kernels=options.kernels))
    print(found)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: found)


if __name__ == "__main__":
    run_command(main)
