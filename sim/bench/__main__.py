"""Speed of a board's design from simulated cycles, before the model of the board's memory.

`python -m sim.bench --board kv260 --model bitnet-0.73b --phase linear|decode|prefill [--context N] [--json]`.

linear: the linear layers alone, activations taken as present, for `--rows` tokens at a time. decode: one token at
position N - 1, or one of each of `--sequences`. prefill: a prompt that ends there, up to its first new token.
`--layers` of the model's layers are simulated and stand for all of them, `--vocab` rows of an exact head for all of
its rows; a shortlist (`--head shortlist`) is chosen among all rows. `breakdown` gives each cycle to one unit: to the
first at work of linear, head, attend, vector, load, fetch. `--rates` simulates it again with a data bus that carries no
more than so many GB/s on average: on the KV260 by default what the best placement of four streams showed on a board,
15.2, and what a careless one gives, 12.0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from host.compiler.vocabulary import HEADS
from host.runtime import Session
from host.waves_options import add_waves_options, chosen_waves
from hw.boards.chosen_build import add_build_options, add_clock_option, chosen_build
from hw.boards.registry import board_of
from models.cache import cache_root
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.config import PRESETS
from models.errors import OptionError
from models.machine.build import BuildParameters
from models.machine.dram_starts import DramStarts
from models.machine.layout import head_beats
from models.output import check_output_file, check_picture
from sim.bench.check import differences, golden_differences
from sim.bench.measure import Measurement, measure_decode, measure_linear, measure_prefill
from sim.bench.naming import Named, named
from sim.bench.picture import draw
from sim.bench.probe import ProbedDevice
from sim.bench.report import Figures
from sim.bench.workload import fill_cache, load_workload, random_loops
from sim.ddr_parameters import DDR
from sim.verilated_core import MAX_BOARD_OUTSTANDING
from sim.verilator_env import verilator_environment

__all__ = ["main", "parser"]

PHASES = ("linear", "decode", "prefill")
CONTEXT = 128
HEAD_ROWS = 32768  # simulated at most, unless --vocab says otherwise
SMALL_HEAD = 64  # where the head does not run
_PEAK_GB_S = 17.0  # the data bus itself carries no more
PATIENCE = 1_000_000  # cycles without a retired descriptor, beside those of the head


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser("sim.bench", description="Speed of the real-size design, simulated.")
    add_build_options(result)
    add_clock_option(result)
    result.add_argument("--model", default="bitnet-0.73b", metavar="PRESET|DIR",
                        help=f"a shape ({', '.join(PRESETS)}), demo or a model's folder (default: bitnet-0.73b)")
    result.add_argument("--phase", choices=PHASES, default="decode", help="what is timed (default: decode)")
    result.add_argument("--context", type=int, metavar="N",
                        help=f"positions in the cache with the tokens timed (default: {CONTEXT}, or the prompt's)")
    result.add_argument("--prompt-tokens", type=int, metavar="N", help="of a prefill (default: the context)")
    result.add_argument("--sequences", type=int, metavar="S", help="side by side in a decode pass (default: 1)")
    result.add_argument("--rows", type=int, metavar="N", help="tokens side by side in the phase linear (default: 1)")
    result.add_argument("--head", choices=HEADS, default="exact",
                        help="all rows' logits, or those of a shortlist (default: exact)")
    result.add_argument("--layers", type=int, default=1, metavar="K", help="layers simulated (default: 1)")
    result.add_argument("--vocab", type=int, metavar="N",
                        help=f"rows of an exact head simulated at most (default: {HEAD_ROWS})")
    result.add_argument("--outstanding", type=int, metavar="N",
                        help="bursts that a port of the memory accepts (default: the board's)")
    result.add_argument("--rates", type=float, nargs="*", metavar="GB/S",
                        help="simulated again with the memory held to each rate (default: those of the board)")
    result.add_argument("--dram-starts", type=Path, metavar="FILE",
                        help="where streams and caches begin in memory (JSON; default: the board's)")
    result.add_argument("--stall", type=float, default=0.0, metavar="P",
                        help="chance of a stall on each channel of each port in each cycle (default: 0)")
    result.add_argument("--steered", action="store_true", help="with a closed loop behind every layer")
    result.add_argument("--picture", type=Path, metavar="FILE", help="draw where the cycles go (.png, .svg, .pdf)")
    result.add_argument("--trace", type=Path, metavar="FILE",
                        help="of the longest pass, write each descriptor's work and the ports' traffic for Perfetto")
    add_waves_options(result)
    result.add_argument("--check", action="store_true",
                        help="then hold a token against the emulator, a prompt's pass and a token against the golden "
                             "model")
    result.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    build = chosen_build(options)
    _check(options, build)
    waves = chosen_waves(options)
    if options.picture:
        check_picture(options.picture)
    if options.trace:
        import_module("perfetto")
        check_output_file(options.trace)
    verilator_environment()  # what is missing is told before any work
    cache_root()
    rows = options.vocab
    if rows is None and options.head == "exact":
        rows = SMALL_HEAD if options.phase == "linear" else HEAD_ROWS
    build.check(load_config(options.model))
    workload = load_workload(options.model, layers=options.layers, vocabulary=rows)
    config = workload.model.config
    context = options.context
    if context is None:
        context = CONTEXT if options.prompt_tokens is None else options.prompt_tokens
    prompt = options.prompt_tokens if options.prompt_tokens is not None else context

    starts = None if options.dram_starts is None else DramStarts.read(options.dram_starts)
    device = ProbedDevice(build, waves=waves)  # says itself what it builds
    device.starts = starts
    board = board_of(build)
    outstanding = board.ports.bursts if options.outstanding is None else options.outstanding
    rates = board.memory.quoted_gb_s if options.rates is None else tuple(options.rates)
    device.configure(outstanding=outstanding, stall_probability=options.stall)
    device.identify()
    with tqdm(unit=" cycles", unit_scale=True, file=sys.stderr, disable=None) as bar:
        sequences = 1 if options.sequences is None else options.sequences
        session = Session(workload.model, device, sequences=sequences, head=options.head,
                          taps=random_loops(workload.model) if options.steered else None)
        if sequences > session.rows:
            raise OptionError(f"--sequences must be 1 to {session.rows}, got {sequences}")
        token_rows = 1 if options.rows is None else options.rows
        if not 1 <= token_rows <= session.rows:
            raise OptionError(f"--rows must be 1 to {session.rows}, got {token_rows}")
        device.watch = _watch(bar)
        device.set("WATCHDOG", PATIENCE + 4 * head_beats(config.vocab_size, config.hidden_size, build))

        def measure() -> Measurement:
            if options.phase == "linear":
                return measure_linear(workload, session, token_rows)
            if options.phase == "decode":
                return measure_decode(workload, session, context)
            return measure_prefill(workload, session, context, prompt)

        bar.set_description(f"simulating {options.phase}")
        measurement, run = measure(), device.longest
        held = {}
        for rate in rates:
            bar.set_description(f"simulating {options.phase} at {rate} GB/s")
            device.configure(outstanding=outstanding, stall_probability=options.stall, ddr=DDR.limited(rate))
            held[rate] = measure().counts.cycles
        figures = Figures(options.phase, workload, build, measurement, device.core.memory_model, outstanding, run, held)
        if options.picture:
            draw(figures, figures.run, _descriptors(figures, session), options.picture)
        if options.trace:
            _trace(figures, session, options.trace)
        if options.check:
            bar.set_description("checking")
            fill_cache(session)
            wrong = differences(session, context - 1)
            wrong += [f"golden {name}" for name in golden_differences(session)]
    for line in figures.notes():
        print(line, file=sys.stderr)
    print(json.dumps(figures.to_json()) if options.json else figures.table())
    if options.check:
        sys.stdout.flush()
        outcome = f"{', '.join(wrong)} differ" if wrong else "equal"
        print(f"check against emulator and golden model: {outcome}", file=sys.stderr)
        raise SystemExit(1 if wrong else 0)


def _descriptors(figures: Figures, session: Session) -> list[Named]:
    """Those of the longest pass."""
    return named(figures.run.program, session.program.memory, session.buffer.address, session.model.config.layers)


def _trace(figures: Figures, session: Session, path: Path) -> None:
    from sim.bench.trace import write_trace  # late: a package that only traces need

    write_trace(figures.run, _descriptors(figures, session), path, clock_mhz=figures.build.clock_mhz,
                title=figures.title())


def _check(options: argparse.Namespace, build: BuildParameters) -> None:
    """`OptionError` for options that do not go together, and for values that make no sense."""
    if options.prompt_tokens is not None and options.phase != "prefill":
        raise OptionError("--prompt-tokens belongs to --phase prefill")
    if options.rows is not None and options.phase != "linear":
        raise OptionError("--rows belongs to --phase linear")
    if options.sequences is not None and options.phase != "decode":
        raise OptionError("--sequences belongs to --phase decode")
    if options.steered and options.phase == "linear":
        raise OptionError("--steered belongs to --phase decode and prefill")
    if options.head == "shortlist" and options.phase == "linear":
        raise OptionError("--head belongs to --phase decode and prefill")
    if options.head == "shortlist" and options.vocab is not None:
        raise OptionError("--vocab belongs to --head exact: a shortlist is chosen among all rows")
    for name in ("context", "prompt_tokens", "sequences", "rows", "layers", "vocab"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise OptionError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    if options.outstanding is not None and not 1 <= options.outstanding <= MAX_BOARD_OUTSTANDING:
        raise OptionError(f"--outstanding must be 1 to {MAX_BOARD_OUTSTANDING}, got {options.outstanding}")
    if options.rates and board_of(build).memory.model == "simple":
        raise OptionError(f"--rates belongs to a board whose DDR controller is simulated, not to {build.name}")
    for rate in options.rates or ():
        if not 0 < rate <= _PEAK_GB_S:
            raise OptionError(f"--rates must be above 0 and at most {_PEAK_GB_S}, got {rate:g}")
    if not 0 <= options.stall < 1:
        raise OptionError(f"--stall must be at least 0 and below 1, got {options.stall}")


def _watch(bar: tqdm) -> Callable[[int], None]:
    """Adds each run's cycles to the bar."""
    last = 0

    def watch(cycles: int) -> None:
        nonlocal last
        bar.update(cycles - last if cycles >= last else cycles)
        last = cycles

    return watch


if __name__ == "__main__":
    run_command(main)
