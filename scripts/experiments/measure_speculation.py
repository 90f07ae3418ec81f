"""Tokens a pass of speculative decoding on held-out prompts: `python -m scripts.experiments.measure_speculation`.

The prompts (held_out_prompts.txt, four dashes between) are paragraphs of *Northanger Abbey*, *Romans* and *1 Timothy*,
which the shipped model never saw (docs/shipped-model.md). Each is continued plainly and with drafts; the ids must be
equal. A small model soon says the same again and again, and nothing is easier to draft, so only passes before the first
loop count. Text is looped from where its next tokens, eight or the whole period if that is longer, are those said just
before: a block that follows itself.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from host.command_line import add_model_options, open_session
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.speculation import DRAFTS, PromptLookup
from host.text import Text
from models.command import CommandParser, run_command
from models.markdown import markdown_table
from models.text_file import read_text_file

__all__ = ["PROMPTS", "Result", "before_loop", "loop_start", "main", "measure"]

PROMPTS = Path(__file__).with_name("held_out_prompts.txt")
SHORTEST_LOOP = 8
TEMPERATURES = (0.0, 0.7)


@dataclass(frozen=True)
class Result:
    """One continuation. tokens, passes: before the loop, the first token, which the prompt's pass gives, left out."""

    prompt: str
    temperature: float
    tokens: int
    passes: int
    all_tokens: int
    all_passes: int
    equal: bool
    text: str  # up to the loop


def loop_start(ids: Sequence[int]) -> int:
    """Index from which the ids repeat those just before; their number where they never do."""
    for start in range(1, len(ids) - SHORTEST_LOOP + 1):
        for period in range(1, start + 1):
            size = max(SHORTEST_LOOP, period)
            if ids[start:start + size] == ids[start - period:start - period + size] and start + size <= len(ids):
                return start
    return len(ids)


def before_loop(passes: Sequence[int], end: int) -> tuple[int, int]:
    """(tokens, passes) of the whole passes before id `end`; passes: of each id, 0 for the prompt's."""
    whole = [number for number in passes[:end] if number and number not in passes[end:]]
    return len(whole), len(set(whole))


def measure(session: Session, text: Text, prompt: str, count: int, temperature: float, drafts: int) -> Result:
    """Continue a prompt twice, plainly and with drafts, by `count` ids."""
    ids = text.prompt(prompt)
    plain = Engine(session).complete(Request(ids, Sampler(temperature, seed=0), count, ends=()))
    engine, passes = Engine(session), []
    reply = engine.add(Request(ids, Sampler(temperature, seed=0), count, ends=(), drafts=PromptLookup(drafts)))
    for _ in engine.run(reply):
        passes += [reply.passes] * (len(reply.ids) - len(passes))
    found = reply.ids
    end = loop_start(found)
    tokens, whole = before_loop(passes, end)
    return Result(prompt, temperature, tokens, whole, len(found) - 1, reply.passes, found == plain.ids,
                  text.decode(found[:end]))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("scripts.experiments.measure_speculation",
                           description="Tokens a pass with drafts from the text so far.")
    add_model_options(parser)
    parser.add_argument("--prompts", type=Path, default=PROMPTS, metavar="FILE",
                        help="texts with lines of four dashes between (default: ten of held-out books)")
    parser.add_argument("-n", type=int, default=200, metavar="N", help="new tokens of each (default: 200)")
    parser.add_argument("--drafts", type=int, default=DRAFTS, metavar="K", help=f"of a pass (default: {DRAFTS})")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    prompts = read_text_file(options.prompts).rstrip("\n").split("\n----\n")
    session = open_session(options, progress=True)
    text = Text(session.model.folder)
    cases = [(temperature, prompt) for temperature in TEMPERATURES for prompt in prompts]
    results = [measure(session, text, prompt, options.n, temperature, options.drafts)
               for temperature, prompt in tqdm(cases, unit="text", leave=False, disable=not sys.stderr.isatty())]
    session.device.close()
    if options.json:
        print(json.dumps({"drafts": options.drafts, "results": [asdict(result) for result in results]}))
        return
    for temperature in TEMPERATURES:
        print(_table([result for result in results if result.temperature == temperature], temperature))
    for temperature in TEMPERATURES:
        print(f"\nTemperature {temperature}, up to the first loop:")
        for number, result in enumerate((r for r in results if r.temperature == temperature), 1):
            print(f"\n{number}. …{' '.join(result.prompt.split()[-6:])} **|** {' '.join(result.text.split())}")


def _table(results: Sequence[Result], temperature: float) -> str:
    rows = []
    total = Result("all", temperature, *(sum(getattr(r, name) for r in results) for name in (
        "tokens", "passes", "all_tokens", "all_passes")), all(r.equal for r in results), "")
    for number, r in enumerate([*results, total], 1):
        name = r.prompt if r is total else f"{number}. {' '.join(r.prompt.split()[:4])}"
        share = f"{r.tokens / r.passes:.2f}" if r.passes else "–"
        rows.append([name, str(r.tokens), str(r.passes), share, f"{r.all_tokens / r.all_passes:.2f}",
                     "equal" if r.equal else "DIFFERENT"])
    return "\n" + markdown_table([f"temperature {temperature}", "tokens before the loop", "passes", "tokens per pass",
                                  "with loops", "ids"], rows)


if __name__ == "__main__":
    run_command(main)
