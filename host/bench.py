"""Measure speed: `python -m host.bench --model DIR`, tokens a second of a prompt and of generation.

The ids are random, so no tokenizer is needed, and seeded, so every run computes the same thing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from tqdm import tqdm

from host.board.energy import EnergyMeter
from host.board.sensors import power_sensor
from host.command_line import add_head_option, add_model_options, open_session
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session, Top
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["Timing", "bench_ids", "fed", "main", "measure", "parser", "summary"]


@dataclass(frozen=True)
class Timing:
    """Wall time of one repeat, in seconds: the whole prompt up to the first new token, and all steps after it. And the
    energy of the latter in joules, None where nothing measures it."""

    prefill_s: float
    decode_s: float
    decode_j: float | None = None


def bench_ids(vocab_size: int, prompt_tokens: int, new_tokens: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """The ids of the prompt and those fed after it, whatever the model would have said."""
    ids = np.random.default_rng(seed).integers(0, vocab_size, prompt_tokens + new_tokens).tolist()
    return ids[:prompt_tokens], ids[prompt_tokens:]


def fed(prompt: Sequence[int], steps: Sequence[int], on_top: Callable[[Top], None] | None = None) -> Request:
    """A request that runs a prompt and then `steps`, whatever the model would have said; `on_top` sees what that was.

    The id after the last step is drawn as well, and never run.
    """
    ahead = iter([*steps, 0])

    def sampler(top: Top, history: Sequence[int]) -> int:
        if on_top:
            on_top(top)
        return next(ahead)

    return Request(prompt, sampler, len(steps) + 1, ends=())


def measure(session: Session, prompt: Sequence[int], steps: Sequence[int], repeats: int,
            on_tokens: Callable[[int], None] | None = None, meter: EnergyMeter | None = None) -> list[Timing]:
    """Time `repeats` runs of prompt and steps from an empty cache, after a warm-up that does not count.

    meter: what measures the energy meanwhile.

    `OptionError` where a count is below one or the context too short.
    """
    _check_counts(session.context, len(prompt), len(steps), repeats)
    timings, meter = [], meter or EnergyMeter(None)
    for _ in range(1 + repeats):
        engine, done, joules = Engine(session), 0, None
        reply = engine.add(fed(prompt, steps))
        for _ in engine.run(reply):
            before, done = done, reply.prompt_done + max(0, len(reply.ids) - 1)
            joules = meter.joules if len(reply.ids) == 1 else joules
            if on_tokens:
                on_tokens(done - before)
        timings.append(Timing(reply.prefill_s, reply.decode_s, None if joules is None else meter.joules - joules))
    return timings[1:]


def _check_counts(context: int, prompt: int, new: int, repeats: int) -> None:
    for name, count in (("prompt tokens", prompt), ("new tokens", new), ("repeats", repeats)):
        if count < 1:
            raise OptionError(f"{name} must be at least 1, got {count}")
    if prompt + new > context:
        raise OptionError(f"a prompt of {prompt} tokens and {new} new ones exceed the context of {context}")


def summary(timings: Sequence[Timing], prompt_tokens: int, new_tokens: int) -> dict[str, float | None]:
    """Tokens a second, median and best of the repeats, and the median time to the first new token. Watts while decoding
    and joules a token, over all repeats: None where nothing measures them."""
    energy = None if any(t.decode_j is None for t in timings) else sum(t.decode_j for t in timings)
    prefill, decode = [t.prefill_s for t in timings], [t.decode_s for t in timings]
    return {"prefill_tokens_per_s": prompt_tokens / median(prefill), "decode_tokens_per_s": new_tokens / median(decode),
            "prefill_best_tokens_per_s": prompt_tokens / min(prefill),
            "decode_best_tokens_per_s": new_tokens / min(decode), "first_token_s": median(prefill),
            "watts": None if energy is None else energy / sum(decode),
            "joules_per_token": None if energy is None else energy / (new_tokens * len(timings))}


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.bench", description="Tokens a second of a model on a device.")
    add_model_options(parser)
    add_head_option(parser)
    parser.add_argument("--prompt-tokens", type=int, default=128, metavar="P", help="of random ids (default: 128)")
    parser.add_argument("-n", type=int, default=64, metavar="N", help="new tokens (default: 64)")
    parser.add_argument("--repeats", type=int, default=3, metavar="R", help="after one warm-up (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the ids (default: 0)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.seed < 0:
        raise OptionError(f"--seed must not be negative, got {options.seed}")
    started = time.perf_counter()
    session = open_session(options, progress=True)
    load_s = time.perf_counter() - started
    _check_counts(session.context, options.prompt_tokens, options.n, options.repeats)
    prompt, steps = bench_ids(session.model.config.vocab_size, options.prompt_tokens, options.n, options.seed)
    with tqdm(total=(1 + options.repeats) * (len(prompt) + len(steps)), desc="bench", unit="tok", file=sys.stderr,
              leave=False, disable=not sys.stderr.isatty()) as bar, EnergyMeter(power_sensor()) as meter:
        timings = measure(session, prompt, steps, options.repeats, bar.update, meter)
    result = summary(timings, len(prompt), len(steps)) | {
        "load_s": load_s, "prompt_tokens": len(prompt), "new_tokens": len(steps), "repeats": options.repeats,
        "model": options.model, "device": options.device, "threads": options.threads,
        "head": session.program.head, "kernels": getattr(session.device, "kernels", None),
        "weight_bytes": session.counters.weight_bytes, "weight_bytes_read": session.counters.weight_bytes_read}
    session.device.close()
    if options.json:
        print(json.dumps(result))
        return
    print(f"{'':18} {'tokens':>6} | {'median tok/s':>12} | {'best tok/s':>10}")
    for phase, tokens in (("prefill", len(prompt)), ("decode", len(steps))):
        print(f"{phase:18} {tokens:>6} | {result[f'{phase}_tokens_per_s']:>12.1f} | "
              f"{result[f'{phase}_best_tokens_per_s']:>10.1f}")
    print(f"first token after {result['first_token_s']:.3f} s, model loaded in {load_s:.2f} s")
    if result["watts"]:
        print(f"{result['watts']:.2f} W while decoding, {result['joules_per_token']:.3f} J a token")
    if result["weight_bytes"]:
        print(f"bytes of ternary weights read: {result['weight_bytes_read'] / result['weight_bytes']:.1%}")


if __name__ == "__main__":
    run_command(main)
