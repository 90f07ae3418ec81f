"""Emulator against rtl on whole texts: `python -m scripts.verify.compare_devices [--model DIR] [-n 24]`.

For each prompt: greedy ids from both devices, then the integer logits at every position of prompt and continuation,
and the whole key-value cache. Exit status 1 at any difference.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tqdm import tqdm

from host.devices.registry import open_device
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.text import Text
from hw.boards.registry import board_build
from models.checkpoint import load_model
from models.command import CommandParser, run_command

__all__ = ["PROMPTS", "main"]

PROMPTS = (
    "It was a truth",
    "And the LORD said unto Moses, Speak unto the children of Israel,",
    "She had nothing to do but to forgive herself and be happier than ever; and having spent three hours of the "
    "morning in the company of her sister, she was obliged to go down to dinner without having said a single word of "
    "what she felt. Her mother was in excellent spirits, and talked of nothing but the ball; and when the gentlemen "
    "came in at last from the dining room, Emma was very glad to see",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.compare_devices",
                           description="Hold the simulated Verilog against the emulator.")
    parser.add_argument("--model", default="demo", metavar="DIR")
    parser.add_argument("--board", default="sim-tiny")
    parser.add_argument("-n", type=int, default=24, help="new tokens a prompt (default: 24)")
    options = parser.parse_args(arguments)
    model, build = load_model(options.model), board_build(options.board)
    text = Text(model.folder)
    devices = {name: open_device(name, build) for name in ("emulator", "rtl")}
    different = False
    for prompt in PROMPTS:
        ids = text.before + text.encode(prompt)
        sessions = {name: Session(model, device) for name, device in devices.items()}
        results = {}
        with tqdm(total=len(devices) * (2 * len(ids) + options.n), unit="tok", file=sys.stderr) as bar:
            for name, session in sessions.items():
                new = Engine(session).complete(Request(ids, Sampler(0.0), options.n)).ids
                bar.update(len(ids) + len(new))
                whole, cycles = [*ids, *new], session.counters.cycles
                session.reset()
                logits = session.score(whole, bar.update)
                caches = [session.cache(layer) for layer in range(model.config.layers)]
                results[name] = new, logits, caches, cycles
        (new, logits, caches, _), (new_rtl, logits_rtl, caches_rtl, cycles) = results.values()
        verdict = {"ids": new == new_rtl, "logits": bool((logits == logits_rtl).all()),
                   "cache": all((a[name] == b[name]).all() for a, b in zip(caches, caches_rtl, strict=True)
                                for name in a)}
        different |= not all(verdict.values())
        words = ", ".join(f"{what} {'equal' if same else 'DIFFERENT'}" for what, same in verdict.items())
        print(f"{len(ids)} + {len(new)} tokens: {words}; {cycles / (len(whole) - 1):.0f} simulated cycles a token; "
              f"{prompt[:24]!r} -> {text.decode(new)[:40]!r}", flush=True)
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    run_command(main)
