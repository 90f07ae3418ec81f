"""Many clients at random against one server: answers equal those given alone, memory stays, passes are shared.

    python -m scripts.verify.load_server --minutes 5                    # 64 clients, the shipped model
    python -m scripts.verify.load_server --speed --model DIR            # tokens a second of 8 clients over one's

A model without a tokenizer (`models.synth`) gets the shipped one's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from models.checkpoint import TOKENIZER
from models.command import CommandParser, run_command
from models.config import resolve_model
from models.errors import TritloomError

__all__ = ["main", "parser"]

STARTS = ("It was a truth", "In the beginning", "The whole of the", "She had never", "And the LORD said", "My dear",
          "There was a time", "He answered and said", "On the other hand", "When the morning was come")
KINDS = 48
LEAVES = 0.15  # of requests: the client goes before the end


class _FailedError(TritloomError):
    """The server did not do what it promises."""


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("scripts.verify.load_server", description="Many clients at random against one server.")
    parser.add_argument("--model", default="demo", metavar="DIR")
    parser.add_argument("--clients", type=int, default=64, metavar="N")
    parser.add_argument("--minutes", type=float, default=5, metavar="M")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="measure 8 clients against one instead")
    parser.add_argument("-n", type=int, default=64, metavar="N", help="tokens of each answer of --speed (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of --speed (default: 3)")
    parser.add_argument("serve", nargs=argparse.REMAINDER, help="options of host.serve, behind --")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    extra = [item for item in options.serve if item != "--"]
    with _with_tokenizer(resolve_model(options.model)) as folder, _server(folder, extra) as (url, process):
        run = _speed if options.speed else _random_load
        print(json.dumps(asyncio.run(run(url, process.pid, options)), indent=1))


@contextmanager
def _with_tokenizer(folder: Path) -> Iterator[Path]:
    if (folder / TOKENIZER).exists():
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        for path in folder.iterdir():
            (Path(made) / path.name).symlink_to(path.resolve())
        shutil.copy2(resolve_model("demo") / TOKENIZER, made)
        yield Path(made)


@contextmanager
def _server(folder: Path, extra: Sequence[str]) -> Iterator[tuple[str, subprocess.Popen]]:
    command = [sys.executable, "-m", "host.serve", "--model", str(folder), "--alias", "served", "--port", "0", "--json",
               "--queue", "40", *extra]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise _FailedError("the server did not start")
        yield json.loads(line)["url"], process
    finally:
        process.terminate()
        process.wait()


async def _random_load(url: str, pid: int, options: argparse.Namespace) -> dict[str, object]:
    rng = random.Random(options.seed)
    kinds = [_random_request(rng) for _ in range(KINDS)]
    counts = Counter(dict.fromkeys(("equal", "different", "left", "refused", "lost"), 0))
    memory: list[float] = []
    async with _client(url) as http:
        expected = [await _answer(http, kind, False) for kind in kinds]
        before, started = await _metrics(http), time.monotonic()
        ends = started + 60 * options.minutes

        async def visit(seed: int) -> None:
            own = random.Random(seed)
            while time.monotonic() < ends:
                which, streams = own.randrange(KINDS), own.random() < 0.6
                if own.random() < LEAVES:
                    counts["left"] += await _leave(http, kinds[which], own)
                    continue
                found = await _answer(http, kinds[which], streams)
                if found is None:
                    counts["refused"] += 1
                    await asyncio.sleep(own.random())
                else:
                    counts["equal" if found == expected[which] else "different"] += 1

        async def watch() -> None:
            while time.monotonic() < ends:
                memory.append(_resident(pid))
                await asyncio.sleep(1)

        tasks = await asyncio.gather(*(visit(seed) for seed in range(options.clients)), watch(),
                                     return_exceptions=True)
        counts["lost"] = sum(isinstance(task, BaseException) for task in tasks)
        errors = sorted({repr(task)[:200] for task in tasks if isinstance(task, BaseException)})
        after, seconds = await _metrics(http), time.monotonic() - started
        told = (await http.get("/v1/status")).json()
    fifth = max(1, len(memory) // 5)
    grown = {name: after[name] - before[name] for name in after}
    result = {"clients": options.clients, "seconds": round(seconds), **counts, "errors": errors,
              "tokens": grown["generated_tokens"], "tokens_per_pass": round(told["speed"]["tokens_per_pass"], 2),
              "share_in_passes": round((grown["prefill_s"] + grown["decode_s"]) / seconds, 2),
              "share_choosing": round(grown["choosing_s"] / seconds, 2),
              "memory_mib": [round(statistics.median(memory[at:at + fifth]), 1)
                             for at in range(0, 5 * fifth, fifth) if memory[at:]],
              "still_running": after["running"] + after["waiting"]}
    if counts["different"] or counts["lost"] or not counts["equal"]:
        raise _FailedError(f"answers were lost or mixed: {json.dumps(result)}")
    return result


def _random_request(rng: random.Random) -> dict[str, object]:
    """A completion whose answer depends on nothing but itself."""
    fields: dict[str, object] = {"prompt": " ".join(rng.sample(STARTS, rng.randint(1, 3))),
                                 "max_tokens": rng.randint(1, 60), "seed": rng.randrange(1000),
                                 "temperature": rng.choice([0, 0.7, 1.1])}
    kind = rng.randrange(6)
    extra: list[dict[str, object]] = [
        {}, {"logprobs": 2}, {"n": 2}, {"stop": ["the", "."]}, {"speculate": 4},
        {"presence_penalty": 1.0, "frequency_penalty": 0.5, "logit_bias": {"5": 1}}]
    return fields | extra[kind]


async def _answer(http: httpx.AsyncClient, fields: dict[str, object], streams: bool) -> list[tuple] | None:
    """Text and end of each choice; None where the server had no room."""
    if not streams:
        answer = await http.post("/v1/completions", json=fields)
        if answer.status_code == 429:
            return None
        answer.raise_for_status()
        return [(choice["text"], choice["finish_reason"]) for choice in answer.json()["choices"]]
    texts, ends = [""] * int(fields.get("n", 1)), [""] * int(fields.get("n", 1))
    async with http.stream("POST", "/v1/completions", json=fields | {"stream": True}) as answer:
        if answer.status_code == 429:
            return None
        answer.raise_for_status()
        last = ""
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    texts[choice["index"]] += choice["text"]
                    ends[choice["index"]] = choice["finish_reason"] or ends[choice["index"]]
            last = line or last
    if last != "data: [DONE]":
        raise _FailedError(f"a stream ended with {last[:80]!r}")
    return list(zip(texts, ends, strict=True))


async def _leave(http: httpx.AsyncClient, fields: dict[str, object], rng: random.Random) -> int:
    """Asks and goes before the answer is there."""
    try:
        await asyncio.wait_for(_answer(http, fields | {"max_tokens": 400}, rng.random() < 0.5), rng.uniform(0.01, 0.5))
    except (asyncio.TimeoutError, httpx.HTTPError):
        return 1
    return 0


async def _speed(url: str, pid: int, options: argparse.Namespace) -> dict[str, object]:
    """Rounds of one client and of eight, in turn. The server's processor time says the same on a busy machine."""
    fields = {"max_tokens": options.n, "temperature": 0, "logit_bias": {}}
    speeds: dict[int, list[float]] = {1: [], 8: []}
    busy: dict[int, list[float]] = {1: [], 8: []}
    async with _client(url) as http:
        async def one(index: int, number: int) -> tuple[float, float, int]:
            """When its first and last token came, and how many."""
            first = last = 0.0
            prompt = f"{STARTS[index]} {number}"
            async with http.stream("POST", "/v1/completions", json=fields | {
                    "prompt": prompt, "stream": True, "stream_options": {"include_usage": True}}) as answer:
                tokens = 0
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        last = time.perf_counter()
                        first = first or last
                        if usage := json.loads(line[6:]).get("usage"):
                            tokens = usage["completion_tokens"]
            return first, last, tokens

        await one(0, 0)
        for number in range(options.rounds):
            for clients in speeds:
                started, spent = time.perf_counter(), _processor(pid)
                done = await asyncio.gather(*(one(index, number) for index in range(clients)))
                seconds = max(last for _, last, _ in done) - started
                tokens = sum(found for _, _, found in done)
                speeds[clients].append(round(tokens / seconds, 2))
                busy[clients].append(round(tokens / (_processor(pid) - spent), 2))
    return {"tokens_per_s": speeds, "ratio": _ratio(speeds), "tokens_per_processor_s": busy,
            "processor_ratio": _ratio(busy)}


def _ratio(speeds: dict[int, list[float]]) -> float:
    single, eight = (statistics.median(found) for found in speeds.values())
    return round(eight / single, 2)


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None))


async def _metrics(http: httpx.AsyncClient) -> dict[str, float]:
    lines = (await http.get("/metrics")).text.splitlines()
    found = dict(line.split(" ") for line in lines if not line.startswith("#"))
    names = {"generated_tokens": "generated_tokens_total",
             "running": "requests_running", "waiting": "requests_waiting",
             **{f"{name}_s": f"{name}_seconds_total" for name in ("prefill", "decode", "choosing")}}
    return {name: float(found[f"tritloom_{written}"]) for name, written in names.items()}


def _processor(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    """MiB of memory of its own, files that are mapped left out."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise _FailedError("the server has gone")


if __name__ == "__main__":
    run_command(main)
