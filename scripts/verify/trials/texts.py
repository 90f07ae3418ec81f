"""Trials of what goes in and comes out as text: line ends, marks, settings of tokenizers, stop strings, escapes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

from models.config import DEMO
from scripts.verify.trials.trial import Done, Trial, accepted, check, equal, refused

__all__: list[str] = []

_TEXT = "It is a truth universally acknowledged, that a single man"
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # a byte order mark


def _answers(done: Done) -> list[tuple]:
    """What each answer of a chat was, without its times."""
    try:
        found = [json.loads(line) for line in done.out.splitlines()]
        return [(item["prompt_tokens"], item["ids"], item["text"]) for item in found]
    except (ValueError, KeyError, TypeError):
        return []


@check("crlf-input")
def crlf_input(trial: Trial) -> Iterator[str]:
    yield from accepted(trial.convert(trial.folder / "model"), "models.convert")
    command = "host.chat", "--model", trial.model, "--temperature", 0, "-n", 8, "--json"
    unix, windows = ((trial.folder / f"{name}.txt").read_bytes() for name in ("unix", "windows"))
    joined = b"Hi\\\nyou\n/quit\n"
    for what, first, second, count in (("the files", unix, windows, 2),
                                       ("a backslash", joined, joined.replace(b"\n", b"\r\n"), 1)):
        pair = [trial.run(*command, stdin=data) for data in (first, second)]
        for done, name in zip(pair, ("Unix", "Windows"), strict=True):
            yield from accepted(done, f"{what}, {name} ends")
            yield from equal(len(_answers(done)), count, f"{what}, {name} ends: answers")
        yield from equal(_answers(pair[1]), _answers(pair[0]), f"{what}, Windows ends")


@check("prompts-file-lines")
def prompts_file_lines(trial: Trial) -> Iterator[str]:
    for path in trial.files("*.txt"):
        data = path.read_bytes().decode().removeprefix(_MARK)
        lines = [line.removesuffix("\r") for line in data.split("\n")]
        lines = [line for line in lines if line.strip()]
        done = trial.run("host.batch", "--prompts", path, "-n", 1, "--json")
        yield from accepted(done, f"host.batch {path.name}")
        found = [item["prompt_ids"] for item in done.answer.get("results", [])]
        yield from equal(len(found), len(lines), f"{path.name}: results")
        wanted = [trial.run("host.generate", "--prompt", line, "-n", 1, "--json").answer.get("prompt_ids")
                  for line in lines]
        yield from equal(found, wanted, f"{path.name}: ids")
    plain, marked = trial.scratch / "plain.txt", trial.scratch / "marked.txt"
    plain.write_text(_TEXT, encoding="utf-8")
    marked.write_text(_MARK + _TEXT, encoding="utf-8")
    scores = [trial.run("host.score", "--text", path, "--json").answer.get("nll") for path in (plain, marked)]
    yield from equal(scores[1], scores[0], "host.score --text with a byte order mark")


@check("sec-truncation")
def sec_truncation(trial: Trial) -> Iterator[str]:
    file = trial.scratch / "text.txt"
    file.write_text(_TEXT * 8)

    def results(model: object) -> dict[str, object]:
        prompt = trial.run("host.generate", "--model", model, "--prompt", _TEXT, "-n", 2, "--temperature", 0, "--json")
        score = trial.run("host.score", "--model", model, "--text", file, "--json")
        out = trial.scratch / "thresholds.safetensors"
        out.unlink(missing_ok=True)
        fitted = trial.run("host.pipeline", "fit", "--kind", "sparsity", "--method", "teal", "--model", model, "--text",
                           file, "--tokens", 64, "-o", out, "--json")
        return {"host.generate": (prompt.status, prompt.answer.get("prompt_ids")),
                "host.score": (score.status, score.answer.get("tokens"), score.answer.get("bits_per_character")),
                "host.pipeline fit": (fitted.status, fitted.answer.get("tensors"))}

    wanted = results("demo")
    for what, result in wanted.items():
        yield from equal(result[0], 0, f"{what} on the shipped model: status")
    for path in trial.files("*.json"):
        shutil.copytree(DEMO, trial.model)
        shutil.copy(path, trial.model / "tokenizer.json")
        found = results(trial.model)
        for what in wanted:
            yield from equal(found[what], wanted[what], f"{path.name}, {what}")
        shutil.rmtree(trial.model)


@check("stop-names-a-token")
def stop_names_a_token(trial: Trial) -> Iterator[str]:
    """A stop that names a token ends there, or is refused; one that is text works as ever."""
    yield from accepted(trial.convert(trial.folder / "model"), "models.convert")
    settings = "--model", trial.model, "-n", 12, "--temperature", 0
    prompts = trial.scratch / "prompts.txt"
    prompts.write_text("Q\n")
    for stop, text in (("<|im_end|>", "abc"), ("b", "a")):
        generate = trial.run("host.generate", *settings, "--prompt", "Q", "--stop", stop, "--json")
        batch = trial.run("host.batch", *settings, "--prompts", prompts, "--stop", stop, "--json")
        chat = trial.run("host.chat", *settings, "--stop", stop, "--json", stdin="Q\n")
        said = [item[2] for item in _answers(chat)]
        for what, done, found, wanted in (
                ("host.generate", generate, generate.answer.get("text"), text),
                ("host.batch", batch, [item["text"] for item in batch.answer.get("results", [])], [text]),
                ("host.chat", chat, said, [text])):
            if stop != "b" and done.status == 2:
                yield from refused(done, what, stop)
            else:
                yield from accepted(done, what)
                yield from equal(found, wanted, f"{what} --stop {stop}")
    shown = trial.run("host.generate", *settings, "--prompt", "Q", "--stop", "<|im_end|>")
    if shown.status == 0:
        yield from equal(shown.out, "Qabc\n", "host.generate, as it is shown")


@check("sec-escapes")
def sec_escapes(trial: Trial) -> Iterator[str]:
    for path in trial.files("*.gguf"):
        done = trial.convert(path)
        yield from accepted(done, f"models.convert {path.name}")
        yield from _quiet(done, f"models.convert {path.name}")
        done = trial.run("host.chat", "--model", trial.model, "-n", 2, stdin="a\n")
        yield from accepted(done, "host.chat")
        yield from _quiet(done, "host.chat")
        first = done.err.splitlines()[:1]
        if not first or "context" not in first[0]:
            yield f"host.chat: the name splits its first line: {done.err[:120]!r}"


def _quiet(done: Done, what: str) -> Iterator[str]:
    """A fault where something that a terminal acts on is in the output."""
    for name, text in (("standard output", done.out), ("standard error", done.err)):
        control = sorted({c for c in text if not c.isprintable() and c not in "\n\t"})
        if control:
            yield f"{what}: {name} has {control!r}"
