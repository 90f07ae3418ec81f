"""The emulator against llama.cpp on one machine: `python -m scripts.peers.compare_peers --model DIR --threads 2`.

Both run the same trits, the same ids and as many threads (`peer_model` writes the peer's file), in turns, each in a
process of its own: ours, the peer by its own API, the peer by llama-cpp-python's class; with --ik FOLDER, that of its
`llama-bench` and `llama-quantize`, also ik_llama.cpp. A round's figure is the best of its repeats, on either side. Of a
peer's settings the one counts, for prompts and for steps alone, whose median over all rounds is best.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tqdm import tqdm

from host.bench import bench_ids
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import BuildError, OptionError
from models.markdown import markdown_table
from models.model import Model
from scripts.peers.child import child_json
from scripts.peers.peer_ik import IK, TOOLS, describe_ik, ik_speeds, quantise, tool
from scripts.peers.peer_model import check_shape, write_peer_model

__all__ = ["OURS", "PEERS", "PHASES", "compared", "describe_peer", "main", "table"]

PHASES = ("prefill", "decode")
OURS = "emulator"
PEERS = ("llama.cpp", "llama-cpp-python")
"""The same library: by its own functions, and by the Python class that is made of them."""

_PEER_SCRIPT = Path(__file__).with_name("peer_llama.py")
_INSTALL = ("install it with CMAKE_ARGS=-DGGML_NATIVE=ON {python} -m pip install llama-cpp-python==0.3.36 "
            "--no-binary llama-cpp-python")

Speeds = Mapping[str, Mapping[str, float]]
"""Tokens a second by setting and phase; the emulator has one setting."""


def compared(rounds: Sequence[Mapping[str, Speeds]]) -> dict[str, dict[str, dict[str, object]]]:
    """For each runner and phase its best setting, tokens a second of every round and their median; for a peer also the
    ratio of ours to it, round by round, and the median of those.
    """
    result: dict[str, dict[str, dict[str, object]]] = {}
    for runner in rounds[0]:
        result[runner] = {}
        for phase in PHASES:
            speeds = {setting: [one[runner][setting][phase] for one in rounds] for setting in rounds[0][runner]}
            best = max(speeds, key=lambda setting: median(speeds[setting]))
            entry = {"setting": best, "tokens_per_s": speeds[best], "median": median(speeds[best])}
            if runner != OURS:
                ratios = [ours / peer for ours, peer in
                          zip(result[OURS][phase]["tokens_per_s"], speeds[best], strict=True)]
                entry |= {"ratios": ratios, "median_ratio": median(ratios)}
            result[runner][phase] = entry
    return result


def table(result: Mapping[str, Mapping[str, Mapping]], loads: Sequence[float]) -> str:
    """The result as Markdown: a row a round, then the medians."""
    columns = [(runner, phase) for phase in PHASES for runner in result]
    ratios = [(peer, phase) for phase in PHASES for peer in result if peer != OURS]
    head = ["round", "load", *(f"{phase}: {runner}" for runner, phase in columns),
            *(f"{phase}: to {peer}" for peer, phase in ratios)]
    rows = []
    for index, load in enumerate(loads):
        rows.append([str(index + 1), f"{load:.1f}",
                     *(f"{result[runner][phase]['tokens_per_s'][index]:.1f}" for runner, phase in columns),
                     *(f"{result[peer][phase]['ratios'][index]:.2f}" for peer, phase in ratios)])
    rows.append(["median", "", *(f"{result[runner][phase]['median']:.1f}" for runner, phase in columns),
                 *(f"{result[peer][phase]['median_ratio']:.2f}" for peer, phase in ratios)])
    return markdown_table(head, rows)


def describe_peer(python: str) -> dict[str, str]:
    """Version and build of the peer that `python` has.

    `BuildError` with the command to install it, `OptionError` where there is no such Python.
    """
    try:
        return child_json([python, str(_PEER_SCRIPT), "describe"])
    except BuildError as error:
        hint = f"; {_INSTALL.format(python=python)}; or give another" if "llama_cpp" in str(error) else ""
        raise BuildError(f"the peer's Python, {python}: {error}{hint}") from None


def _ours(options: argparse.Namespace) -> Speeds:
    command = [sys.executable, "-m", "host.bench", "--model", options.model, "--threads", str(options.threads),
               "--kernels", options.kernels, "--prompt-tokens", str(options.prompt_tokens), "-n", str(options.n),
               "--repeats", str(options.repeats), "--seed", str(options.seed), "--json"]
    found = child_json(command)
    return {found["kernels"]: {phase: found[f"{phase}_best_tokens_per_s"] for phase in PHASES}}


def _peer(options: argparse.Namespace, request: Mapping[str, object]) -> Speeds:
    tokens = {"prefill": options.prompt_tokens, "decode": options.n}
    found = child_json([options.peer_python, str(_PEER_SCRIPT)], request)
    return {setting: {phase: tokens[phase] / min(seconds[f"{phase}_s"]) for phase in PHASES}
            for setting, seconds in found.items()}


def _runners(options: argparse.Namespace, file: Path, ik_files: dict[str, Path], vocab_size: int
             ) -> dict[str, Callable[[], Speeds]]:
    prompt, steps = bench_ids(vocab_size, options.prompt_tokens, options.n, options.seed)
    request = {"model": str(file), "prompt": prompt, "steps": steps, "threads": options.threads,
               "repeats": options.repeats}
    low, high = PEERS
    runners = {OURS: lambda: _ours(options), low: lambda: _peer(options, request | {"high_level": False}),
               high: lambda: _peer(options, request | {"high_level": True})}
    runners = {name: run for name, run in runners.items() if name in (OURS, *options.peers)}
    if ik_files:
        runners[IK] = lambda: ik_speeds(options.ik, ik_files, threads=options.threads, new_tokens=options.n,
                                        prompt_tokens=options.prompt_tokens, repeats=options.repeats)
    return runners


def _ik_files(options: argparse.Namespace, model: Model, scratch: Path) -> dict[str, Path]:
    source = scratch / "float16.gguf"
    write_peer_model(model, source, float16=True, progress=sys.stderr.isatty())
    files = quantise(options.ik, source, scratch)
    source.unlink()
    return files


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("scripts.peers.compare_peers", description="The emulator against llama.cpp.")
    parser.add_argument("--model", required=True, metavar="DIR", help="a converted model's folder")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of either side (default: 2)")
    parser.add_argument("--kernels", default="auto", metavar="NAME", help="of the emulator (default: auto)")
    parser.add_argument("--rounds", type=int, default=5, metavar="R", help="default: 5")
    parser.add_argument("--repeats", type=int, default=3, metavar="R", help="a round, after a warm-up (default: 3)")
    parser.add_argument("--prompt-tokens", type=int, default=128, metavar="P", help="of random ids (default: 128)")
    parser.add_argument("-n", type=int, default=64, metavar="N", help="new tokens (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the ids (default: 0)")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, metavar="NAME",
                        help=f"of {', '.join(PEERS)}: the library itself and its Python class (default: both)")
    parser.add_argument("--ik", type=Path, metavar="DIR", help=f"folder of {' and '.join(TOOLS)} of {IK}: it as well")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PATH",
                        help="the Python that has llama_cpp (default: this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    for name in ("threads", "rounds", "repeats", "prompt_tokens", "n"):
        if getattr(options, name) < 1:
            raise OptionError(f"{name.replace('_', ' ')} must be at least 1, got {getattr(options, name)}")
    model = load_model(options.model)
    check_shape(model.config)
    if options.ik:
        for name in TOOLS:
            tool(options.ik, name)
    elif not options.peers:
        raise OptionError("nothing to compare with: give --peers or --ik")
    built = describe_peer(options.peer_python) if options.peers else {}
    rounds, loads = [], []
    with tempfile.TemporaryDirectory(prefix="tritloom-peer-") as scratch:
        file = Path(scratch) / "model.gguf"
        ik_files = _ik_files(options, model, Path(scratch)) if options.ik else {}
        write_peer_model(model, file, progress=sys.stderr.isatty())
        size = file.stat().st_size
        ik_built = describe_ik(options.ik, next(iter(ik_files.values()))) if ik_files else {}
        runners = _runners(options, file, ik_files, model.config.vocab_size)
        del model  # its pages are the children's to use
        with tqdm(total=options.rounds * len(runners), desc="rounds", unit="run", file=sys.stderr, leave=False,
                  disable=not sys.stderr.isatty()) as bar:
            for _ in range(options.rounds):
                loads.append(os.getloadavg()[0])
                rounds.append({})
                for name, run in runners.items():
                    rounds[-1][name] = run()
                    bar.update()
    result = compared(rounds)
    if options.json:
        print(json.dumps({"model": options.model, "threads": options.threads, "prompt_tokens": options.prompt_tokens,
                          "new_tokens": options.n, "repeats": options.repeats, "peer": built | {"bytes": size},
                          "ik": ik_built, "loads": loads, "runners": result, "rounds": rounds}))
        return
    print(table(result, loads))
    print(f"\n{options.prompt_tokens} prompt tokens, {options.n} new ones, {options.threads} threads, tokens a second, "
          f"best of {options.repeats} a round.")
    if built:
        print(f"llama-cpp-python {built['version']}: a file of {size / 1e6:.0f} MB, {built['system_info'].strip(' |')}")
    if ik_built:
        print(f"{IK} {ik_built['commit']}, {ik_built['cpu']}")
    print("Best settings: "
          + "; ".join(f"{peer} {phase}: {result[peer][phase]['setting']}" for peer in result if peer != OURS
                      for phase in PHASES))


if __name__ == "__main__":
    run_command(main)
