"""Generate text: `python -m host.generate --prompt TEXT`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

from host.command_line import add_model_options, open_session, run_command
from host.runtime import Session
from host.sampler import Sampler
from host.text import Text
from models.errors import ModelError

__all__ = ["generate", "main"]

DEFAULT_PROMPT = "It was a truth"


def generate(session: Session, prompt: Sequence[int], count: int, sampler: Sampler,
             on_tokens: Callable[[int], None] | None = None) -> Iterator[int]:
    """Yield up to `count` new ids after a prompt; ends early at an end-of-text token."""
    if count < 1:
        raise ModelError(f"-n must be at least 1, got {count}")
    if len(prompt) + count - 1 > session.context:
        raise ModelError(f"a prompt of {len(prompt)} tokens and {count} new ones exceed the context of "
                         f"{session.context}")
    top = session.prefill(prompt, on_tokens)
    for index in range(count):
        token = sampler(top)
        if token in session.model.config.eos_ids:
            return
        yield token
        if index + 1 < count:
            top = session.decode(token)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="host.generate", description="Generate text with a ternary model.")
    add_model_options(parser)
    parser.add_argument("--prompt", default=DEFAULT_PROMPT, metavar="TEXT",
                        help=f"text to continue (default: {DEFAULT_PROMPT!r})")
    parser.add_argument("-n", type=int, default=100, metavar="N", help="new tokens (default: 100)")
    parser.add_argument("--temperature", type=float, default=0.7, metavar="T", help="0 is greedy (default: 0.7)")
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="sample from the best K (default: all)")
    parser.add_argument("--top-p", type=float, default=0.95, metavar="P", help="nucleus (default: 0.95)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler (default: 0)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    sampler = Sampler(options.temperature, options.top_k, options.top_p, options.seed)
    session = open_session(options, progress=True)
    text = Text(session.model.folder)
    config = session.model.config
    prompt = ([config.bos_id] if config.bos_id is not None else []) + text.encode(options.prompt)
    if not options.prompt:
        raise ModelError("the prompt is empty: there is no token to start from")
    started = time.perf_counter()
    ids: list[int] = []
    decoder = text.stream(prompt)
    with tqdm(total=len(prompt), desc="prompt", unit="tok", file=sys.stderr, leave=False,
              disable=not sys.stderr.isatty()) as bar:
        tokens = generate(session, prompt, options.n, sampler, bar.update)
        first = next(tokens, None)
    prefill_s = time.perf_counter() - started
    if not options.json:
        print(options.prompt, end="", flush=True)
    if first is not None:
        for token in _chain(first, tokens):
            ids.append(token)
            piece = decoder(token)
            if not options.json:
                print(piece, end="", flush=True)
    decode_s = time.perf_counter() - started - prefill_s
    _report(options, session, prompt, ids, text, prefill_s, decode_s)
    session.device.close()


def _chain(first: int, rest: Iterator[int]) -> Iterator[int]:
    yield first
    yield from rest


def _report(options: argparse.Namespace, session: Session, prompt: list[int], ids: list[int], text: Text,
            prefill_s: float, decode_s: float) -> None:
    speed = (len(ids) - 1) / decode_s if len(ids) > 1 and decode_s else 0.0
    cycles = session.counters.cycles
    if options.json:
        result = {"prompt_ids": prompt, "ids": ids, "text": text.decode(ids), "prefill_s": prefill_s,
                  "decode_s": decode_s, "tokens_per_s": speed, "device": options.device}
        if cycles:
            result["cycles"] = cycles
        print(json.dumps(result))
        return
    print()
    simulated = f", {cycles} cycles" if cycles else ""
    print(f"[{len(prompt)} prompt tokens in {prefill_s:.2f} s, {len(ids)} new at {speed:.1f} tok/s on "
          f"{options.device}{simulated}]", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
