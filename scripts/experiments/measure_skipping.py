"""What weights that are not read save: `python -m scripts.experiments.measure_skipping --models DIR ...`.

Decodes with all weights and without those that a zero makes useless, in turns, in one process: the same bits, and the
bytes that the zeros of gates and inputs predict, or `DeviceError`. Of one thread the time is the processor's, which a
busy machine disturbs least.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.bench import bench_ids
from host.command_line import with_context
from host.compiler.vocabulary import HEADS
from host.devices.base import WeightBytes
from host.devices.emulator import EmulatorDevice
from host.emulator.library import chosen_kernels
from host.emulator.streams import COLUMN_TRITS, COLUMN_UNIT
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Site, points_of
from host.runtime import Session
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import DeviceError, OptionError
from models.golden.norm_quant import quantise
from models.machine.build import CPU
from models.markdown import markdown_table
from models.model import Model
from scripts.marked_text import rewrite_marked

__all__ = ["Alternation", "Seen", "alternate", "check_bytes", "main", "seen_zeros", "table", "with_rows"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "measurements.md"
_START, _END = "<!-- skipping: written by scripts.experiments.measure_skipping --record -->", "<!-- skipping: end -->"
_PROMPT = 4
_COLUMNS_PAY = 85  # percent of a matrix' bytes, one row, AVX2 and AVX-512: host/emulator/native/columns_avx*.h


class Seen(NamedTuple):
    """Of one token: inputs of o and down that are not zero, gates above zero after ReLU², each by layer."""

    o: list[int]
    down: list[int]
    gates: list[int]


class Alternation(NamedTuple):
    """Seconds a token of each turn, with all weights and without some; bytes of the last token."""

    dense: list[float]
    skipping: list[float]
    weights: WeightBytes

    @property
    def ratios(self) -> list[float]:
        """How much faster, turn by turn."""
        return [dense / skipping for dense, skipping in zip(self.dense, self.skipping, strict=True)]


def seen_zeros(model: Model, ids: Sequence[int]) -> Seen:
    """What the last of `ids` has, by a session that stops to look."""
    found: dict[str, list[int]] = {Site.O: [], Site.DOWN: [], Site.GATE: []}
    looks = {point: [lambda at, rows, unit: found[at.site].append(
        int(np.count_nonzero(rows[-1] > 0 if at.site == Site.GATE else quantise(rows, unit)[0][-1])))]
        for site in found for point in points_of(site, model.config)}
    session = Session(model, EmulatorDevice(CPU, skip=False), host_steps=HostSteps(model, looks=looks))
    session.feed(ids)
    return Seen(found[Site.O][-model.config.layers:], found[Site.DOWN][-model.config.layers:],
                found[Site.GATE][-model.config.layers:])


def check_bytes(model: Model, seen: Seen, weights: WeightBytes) -> None:
    """`DeviceError` unless so many bytes were read as one row with these zeros has to."""
    expected = weights.all
    for layer, live_gates in zip(model.layers, seen.gates, strict=True):
        up = layer.linears["up"].packed
        expected -= (len(up) - live_gates) * up.shape[1]
    for name in ("o", "down"):
        for layer, live in zip(model.layers, getattr(seen, name), strict=True):
            packed = layer.linears[name].packed
            column = -(-len(packed) // (COLUMN_UNIT * COLUMN_TRITS)) * COLUMN_UNIT
            if live * column <= packed.size * _COLUMNS_PAY // 100:
                expected -= packed.size - live * column
    if weights.read != expected:
        raise DeviceError(f"{weights.read} bytes of weights were read, the zeros of the token give {expected}")


def alternate(model: Model, head: str, tokens: int, turns: int, threads: int, kernels: str = "auto") -> Alternation:
    """`turns` turns of `tokens` tokens each way, after one that does not count."""
    sessions = [Session(model, EmulatorDevice(CPU, kernels=kernels, threads=threads, skip=skip), head=head)
                for skip in (False, True)]
    prompt, _ = bench_ids(model.config.vocab_size, _PROMPT, 0)
    for session in sessions:
        session.feed(prompt)
    seconds: list[list[float]] = [[], []]
    clock = time.process_time if threads == 1 else time.perf_counter
    for turn in tqdm(range(-1, turns), f"{model.config.name}, {head}", file=sys.stderr, leave=False,
                     disable=not sys.stderr.isatty()):
        ids, _ = bench_ids(model.config.vocab_size, tokens, 0, seed=2 + turn)
        tops: list[list[np.ndarray]] = [[], []]
        for way in (0, 1) if turn % 2 else (1, 0):
            session = sessions[way]
            session.position = _PROMPT
            started = clock()
            found = [session.decode(token) for token in ids]
            if turn >= 0:
                seconds[way].append((clock() - started) / tokens)
            tops[way] = [part for top in found for part in (top.ids, top.logits)]
        if not all(np.array_equal(*pair) for pair in zip(*tops, strict=True)):
            raise DeviceError("without some weights the best tokens are others")
    weights = sessions[1].device.weights_read
    if model.config.activation == "relu2":
        check_bytes(model, seen_zeros(model, [*prompt, *ids]), weights)
    return Alternation(*seconds, weights)


def table(found: Sequence[tuple[str, str, int, str, float, Alternation]]) -> str:
    """Markdown of (model, kernels, threads, head, share of gates that are zero, times)."""
    rows = []
    for name, kernels, threads, head, zeros, times in found:
        low, _, high = quantiles(times.ratios, n=4)
        rows.append([name, kernels, str(threads), head, f"{zeros:.1%}", f"{times.weights.read / times.weights.all:.1%}",
                     f"{1 / median(times.dense):.1f}", f"{1 / median(times.skipping):.1f}",
                     f"{median(times.dense) / median(times.skipping):.2f}",
                     f"{min(times.dense) / min(times.skipping):.2f}", f"{low:.2f} to {high:.2f}"])
    return markdown_table(["model", "kernels", "threads", "head", "zero gates", "bytes read", "all weights, tok/s",
                           "without, tok/s", "ratio of medians", "of the best turns", "turns, quartiles"], rows)


def with_rows(before: str, found: str) -> str:
    """A table with the rows of another in the place of those of the same model, kernels, threads and head, or behind
    them."""
    def rows(text: str) -> dict[tuple[str, ...], str]:
        return {tuple(line.split(" | ")[:4]): line for line in text.splitlines()[2:] if line.startswith("|")}

    return "\n".join([*found.splitlines()[:2], *(rows(before) | rows(found)).values()])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.measure_skipping",
                           description="What weights that are not read save on the emulator.")
    parser.add_argument("--models", nargs="+", required=True, metavar="DIR", help="converted models, or demo")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS), help="default: both")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N", help="default: 1, then 2")
    parser.add_argument("--kernels", nargs="+", default=["auto"], metavar="NAME",
                        help="of the emulator (default: auto, the fastest here)")
    parser.add_argument("-n", type=int, default=1, metavar="N", help="tokens a turn (default: 1)")
    parser.add_argument("--turns", type=int, default=60, metavar="R", help="each way (default: 60)")
    parser.add_argument("--record", action="store_true",
                        help="write its rows into docs/measurements.md, where those of other runs stay")
    options = parser.parse_args(arguments)
    if options.n < 1 or options.turns < 2:
        raise OptionError("-n must be at least 1 and --turns at least 2")
    found = []
    for folder in options.models:
        model = with_context(load_model(folder), CPU, _PROMPT + options.n)
        prompt, ids = bench_ids(model.config.vocab_size, _PROMPT, 1)
        live = sum(seen_zeros(model, [*prompt, *ids]).gates) / (model.config.layers * model.config.ffn_size)
        for head in options.heads:
            found += [(Path(folder).name, chosen_kernels(kernels), threads, head, 1 - live,
                       alternate(model, head, options.n, options.turns, threads, kernels))
                      for kernels in options.kernels for threads in options.threads]
    print(table(found))
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda before: with_rows(before, table(found)))


if __name__ == "__main__":
    run_command(main)
