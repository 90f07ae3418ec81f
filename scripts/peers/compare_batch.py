"""Sequences side by side against one after the other: `python -m scripts.peers.compare_batch --model DIR --threads 2`.

One process, one session: in each round the same steps are decoded both ways, in turns, and must give the same logits.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np
from tqdm import tqdm

from host.bench import bench_ids, fed
from host.command_line import add_model_options, open_session
from host.engine.engine import Engine
from host.runtime import Top
from models.command import CommandParser, run_command
from models.errors import DeviceError, OptionError
from models.machine.registers import SEQUENCES

__all__ = ["compare", "main"]


def compare(engine: Engine, prompts: Sequence[Sequence[int]], steps: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Seconds of the steps, one sequence after the other and all side by side; `DeviceError` where a logit differs.

    prompts: ids of each sequence; steps: ids fed after them. Prompts are not counted.
    """
    (alone_s, alone), (together_s, together) = (_run(engine, list(zip(prompts, steps, strict=True)), at_once)
                                                for at_once in (False, True))
    if not all(_equal(a, b) for one, other in zip(alone, together, strict=True)
               for a, b in zip(one, other, strict=True)):
        raise DeviceError("sequences side by side do not give the logits that they give alone")
    return alone_s, together_s


def _run(engine: Engine, ids: Sequence[tuple[Sequence[int], Sequence[int]]],
         at_once: bool) -> tuple[float, list[list[Top]]]:
    """Seconds of decoding, and the best next tokens of each sequence."""
    before, tops = engine.work.decode_s, [[] for _ in ids]
    for (prompt, steps), found in zip(ids, tops, strict=True):
        engine.add(fed(prompt, steps, found.append))
        if not at_once:
            deque(engine.run(), maxlen=0)
    deque(engine.run(), maxlen=0)
    return engine.work.decode_s - before, tops


def _equal(first: Top, second: Top) -> bool:
    return np.array_equal(first.ids, second.ids) and np.array_equal(first.logits, second.logits)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.peers.compare_batch", description="What a batch saves.")
    add_model_options(parser)
    parser.add_argument("--sequences", type=int, default=8, metavar="S", help="side by side (default: 8)")
    parser.add_argument("--prompt-tokens", type=int, default=16, metavar="P", help="of random ids (default: 16)")
    parser.add_argument("-n", type=int, default=16, metavar="N", help="steps of each sequence (default: 16)")
    parser.add_argument("--rounds", type=int, default=5, metavar="R", help="after one that does not count (default: 5)")
    options = parser.parse_args(arguments)
    for name, value, limit in (("--sequences", options.sequences, SEQUENCES), ("-n", options.n, 4096),
                               ("--prompt-tokens", options.prompt_tokens, 4096), ("--rounds", options.rounds, 1000)):
        if not 1 <= value <= limit:
            raise OptionError(f"{name} must be 1 to {limit}, got {value}")
    session = open_session(options, progress=True, sequences=options.sequences)
    ids = [bench_ids(session.model.config.vocab_size, options.prompt_tokens, options.n, seed)
           for seed in range(options.sequences)]
    prompts, steps = zip(*ids, strict=True)
    engine = Engine(session)
    times = [compare(engine, prompts, steps) for _ in tqdm(range(1 + options.rounds), unit="round", leave=False,
                                                          disable=not sys.stderr.isatty())][1:]
    session.device.close()
    tokens, ratios = options.sequences * options.n, [alone / together for alone, together in times]
    result = {"alone_tokens_per_s": tokens / median(alone for alone, _ in times),
              "batch_tokens_per_s": tokens / median(together for _, together in times),
              "ratios": ratios, "median_ratio": median(ratios), "sequences": options.sequences, "model": options.model}
    if options.json:
        print(json.dumps(result))
        return
    print(f"{options.sequences} sequences: {result['alone_tokens_per_s']:.1f} tok/s one after the other, "
          f"{result['batch_tokens_per_s']:.1f} side by side, ratio {result['median_ratio']:.2f} (rounds "
          f"{min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    run_command(main)
