"""Memory and start of the emulator: `python -m scripts.peers.measure_memory --model DIR`.

Resident memory is that of a fresh process after a prompt and some new tokens, as Linux counts it in /proc/self/status;
the first token's time that of `host.generate` as a whole process, with the file's pages warm in the page cache.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from host.bench import bench_ids, fed
from host.command_line import add_model_options, open_session
from host.compiler.memory_map import KVLayout
from host.engine.engine import Engine
from models.command import CommandParser, run_command
from models.errors import DeviceError, OptionError
from scripts.peers.child import child_json

__all__ = ["FILE_SHARE", "cache_bytes", "main", "report", "resident"]

FILE_SHARE = 1.25
"""What a model may take while it decodes: so many times its packed file, and the key-value cache."""

_STATUS = Path("/proc/self/status")
_FIELDS = {"VmRSS": "resident", "RssAnon": "anonymous", "RssFile": "mapped_files", "RssShmem": "shared",
           "VmHWM": "peak"}
_MODEL_OPTIONS = ("model", "device", "board", "context", "threads", "kernels", "stage", "place",
                  "methods")
_PROMPT = 8  # ids of the prompt before the first token


def resident(status: Iterable[str]) -> dict[str, int]:
    """Bytes by name from the lines of /proc/…/status; peak is the most that was ever resident."""
    found = {}
    for line in status:
        name, _, value = line.partition(":")
        if name in _FIELDS:
            number, unit = value.split()
            if unit != "kB":
                raise ValueError(f"{name} is in {unit}, not kB")
            found[_FIELDS[name]] = 1024 * int(number)
    return found


def cache_bytes(layout: KVLayout, layers: int, positions: int | None = None) -> int:
    """Bytes of the key-value cache: of the whole context, or of the rows and scales of so many positions."""
    if positions is None:
        return layers * layout.layer_bytes
    return layers * layout.kv_heads * positions * 2 * (layout.row_bytes + 4)


def report(memory: dict[str, int], first_token_s: Sequence[float]) -> dict[str, object]:
    """What the command prints: `memory` as the decoding process saw it, and how it compares with what is allowed.

    `ratio` and `peak_ratio` are to FILE_SHARE times the file and the cache's rows in use; `context_ratio` is to
    FILE_SHARE times the file and the cache of the whole context.
    """
    allowed = FILE_SHARE * memory["file"] + memory["cache_in_use"]
    whole = FILE_SHARE * memory["file"] + memory["cache"]
    return {f"{name}_bytes": value for name, value in memory.items()} | {
        "ratio": memory["resident"] / allowed, "peak_ratio": memory["peak"] / allowed,
        "context_ratio": memory["resident"] / whole, "first_token_s": median(first_token_s),
        "first_token_best_s": min(first_token_s), "first_tokens_s": list(first_token_s)}


def _inside(options: argparse.Namespace) -> dict[str, int]:
    """The decoding process: its memory after the last token."""
    session = open_session(options, progress=False)
    if _PROMPT + options.n > session.context:
        raise OptionError(f"a prompt of {_PROMPT} tokens and {options.n} new ones exceed the context of "
                          f"{session.context}")
    prompt, steps = bench_ids(session.model.config.vocab_size, _PROMPT, options.n)
    Engine(session).complete(fed(prompt, steps))
    with _STATUS.open() as status:
        found = resident(status)
    layers, layout = session.model.config.layers, session.program.memory.kv
    file = sum(path.stat().st_size for path in session.model.folder.glob("*.safetensors"))
    return found | {"file": file, "cache": cache_bytes(layout, layers),
                    "cache_in_use": cache_bytes(layout, layers, session.position)}


def _run(module: str, options: argparse.Namespace, *more: str) -> dict:
    """The JSON object of one of our commands in a process of its own, with the same model options."""
    command = [sys.executable, "-m", module, "--json", *more]
    for name in _MODEL_OPTIONS:
        value = getattr(options, name)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            command += [f"--{name}", str(each)]
    return child_json(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.peers.measure_memory", description="Resident memory and time to start.")
    add_model_options(parser)
    parser.add_argument("-n", type=int, default=32, metavar="N", help="new tokens before memory is read (default: 32)")
    parser.add_argument("--repeats", type=int, default=5, metavar="R", help="of the first token (default: 5)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        print(json.dumps(_inside(options)))
        return
    if not _STATUS.exists():
        raise DeviceError(f"memory is read from {_STATUS}, which this system does not have")
    for name, count in (("-n", options.n), ("--repeats", options.repeats)):
        if count < 1:
            raise OptionError(f"{name} must be at least 1, got {count}")
    memory = _run("scripts.peers.measure_memory", options, "--inside", "-n", str(options.n))
    ids = ",".join(map(str, range(1, 1 + _PROMPT)))
    times = []
    for _ in range(1 + options.repeats):
        started = time.perf_counter()
        _run("host.generate", options, "--ids", ids, "-n", "1", "--temperature", "0")
        times.append(time.perf_counter() - started)
    result = report(memory, times[1:])
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        if name.endswith("_bytes"):
            print(f"{name.removesuffix('_bytes').replace('_', ' '):24} {value / 1e6:10.1f} MB")
    print(f"resident is {result['ratio']:.3f} of {FILE_SHARE} x file + cache in use (peak {result['peak_ratio']:.3f}), "
          f"{result['context_ratio']:.3f} of {FILE_SHARE} x file + cache")
    print(f"first token of {_PROMPT} ids after {result['first_token_s']:.3f} s from the start of the process, "
          f"best {result['first_token_best_s']:.3f} s of {options.repeats}")


if __name__ == "__main__":
    run_command(main)
