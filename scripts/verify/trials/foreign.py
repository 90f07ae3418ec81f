"""Trials of other people's checkpoints that are whole: what becomes of their shapes, names and tokenizers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scripts.verify.trials.trial import Done, Trial, accepted, check, equal, refused

__all__: list[str] = []

_COSINE = 0.9995, 0.999  # mean and smallest, as docs/measurements.md has them for checkpoints of this layout
_BEYOND = 10**6  # no id of a model here


def _prompt(trial: Trial, text: str, *options: object, model: Path | None = None) -> Done:
    return trial.run("host.generate", "--model", model or trial.model, "--prompt", text, "-n", 1, "--json", *options)


def _prompt_ids(trial: Trial, source: Path, text: str, ids: list[int], what: str) -> Iterator[str]:
    """Faults unless `source` converts and then takes `text` for `ids`."""
    target = trial.scratch / what.replace(" ", "-")
    yield from accepted(trial.convert(source, target), f"{what}: models.convert")
    done = _prompt(trial, text, model=target)
    yield from equal(done.answer.get("prompt_ids", str(done)), ids, f"{what}: ids of {text!r}")


@check("added-tokens-beside")
def added_tokens_beside(trial: Trial) -> Iterator[str]:
    expected = json.loads((trial.folder / "expected.json").read_text())
    text, ids = expected["text"], expected["ids"]
    model = trial.folder / "model"
    yield from _prompt_ids(trial, model, text, ids, "tokenizer_config.json")
    yield from accepted(trial.run("host.chat", "--model", trial.scratch / "tokenizer_config.json", "-n", 2,
                                  stdin="a\n"), "host.chat")
    config = json.loads((model / "tokenizer_config.json").read_text())
    beside = {item["content"]: int(index) for index, item in config.pop("added_tokens_decoder").items()}
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    (model / "added_tokens.json").write_text(json.dumps(beside))
    yield from _prompt_ids(trial, model, text, ids, "added_tokens.json")
    (model / "added_tokens.json").write_text(json.dumps(beside | {"<|far|>": _BEYOND}))
    yield from refused(trial.convert(model), "a token beyond the vocabulary", "<|far|>")
    yield from equal(trial.model.exists(), False, "a refused model is written")


@check("no-start-token")
def no_start_token(trial: Trial) -> Iterator[str]:
    text, ids = "then", [259, 71, 80]
    yield from accepted(trial.convert(trial.folder / "model"), "models.convert")
    done = _prompt(trial, text)
    yield from equal(done.answer.get("prompt_ids", str(done)), ids, f"host.generate, ids of {text!r}")
    file = trial.scratch / "text.txt"
    file.write_text(text)
    done = trial.run("host.score", "--model", trial.model, "--text", file, "--json")
    yield from equal(done.answer.get("tokens", str(done)), len(ids), "host.score, tokens")
    done = trial.run("host.batch", "--model", trial.model, "--prompt", text, "-n", 1, "--json")
    found = [item["prompt_ids"] for item in done.answer.get("results", [])]
    yield from equal(found or str(done), [ids], f"host.batch, ids of {text!r}")


@check("falcon-e-gguf")
def falcon_e_gguf(trial: Trial) -> Iterator[str]:
    expected = json.loads((trial.folder / "expected.json").read_text())
    for path in trial.files("*.gguf"):
        yield from _prompt_ids(trial, path, expected["text"], expected["ids"], path.name)


@check("gguf-without-suffix")
def gguf_without_suffix(trial: Trial) -> Iterator[str]:
    for path in trial.files("sha256-*"):
        yield from accepted(trial.convert(path), f"models.convert {path.name}")
        yield from accepted(trial.run("host.generate", "--model", trial.model, "--ids", 1, "-n", 1), "host.generate")


@check("head-size-100")
def head_size_100(trial: Trial) -> Iterator[str]:
    done = trial.convert(trial.folder / "model")
    yield from accepted(done, "models.convert")
    if "head" not in done.err:
        yield "models.convert: nothing on standard error says that boards cannot run this head size"
    ids, reference = np.load(trial.folder / "ids.npy"), np.load(trial.folder / "logits_float32.npy")
    out = trial.scratch / "logits.npy"
    done = trial.run("host.score", "--model", trial.model, "--ids", ",".join(map(str, ids.ravel())), "--logits", out)
    yield from accepted(done, "host.score")
    if out.exists():
        found, wanted = np.load(out).astype(np.float64), reference.reshape(-1, reference.shape[-1]).astype(np.float64)
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        cosine = (found * wanted).sum(axis=1) / norms
        if cosine.mean() < _COSINE[0] or cosine.min() < _COSINE[1]:
            yield f"logits: cosine {cosine.mean():.5f} in the mean, {cosine.min():.5f} at least"
    done = trial.run("host.generate", "--model", trial.model, "--ids", 1, "-n", 1, "--device", "rtl",
                     "--board", "sim-tiny")
    yield from refused(done, "a board", "head")


@check("hub-cache-name")
def hub_cache_name(trial: Trial) -> Iterator[str]:
    for snapshot in sorted(trial.folder.glob("models--*/snapshots/*")):
        _link(snapshot)
        names = snapshot.parents[1].name.split("--")[-1], snapshot.name
        yield from accepted(trial.convert(snapshot), "models.convert")
        path = trial.model / "model.json"
        made = json.loads(path.read_text()) if path.exists() else {}
        for what, found in (("the config", made.get("config", {}).get("name")),
                            ("the provenance", made.get("provenance", {}).get("source"))):
            if not any(name in str(found) for name in names):
                yield f"name in {what}: expected {' or '.join(names)}, found {found!r}"
        done = trial.run("host.chat", "--model", trial.model, "-n", 1, stdin="a\n")
        if not any(name in done.err.partition("\n")[0] for name in names):
            yield f"host.chat: expected {' or '.join(names)} in its first line, found {done.err[:80]!r}"
        shutil.rmtree(trial.model, ignore_errors=True)


def _link(folder: Path) -> None:
    """Make links of files that hold a link's target: what a copy without links leaves of them."""
    for path in folder.iterdir():
        if not path.is_symlink() and path.stat().st_size < 100 and (target := path.read_text()).startswith("../"):
            path.unlink()
            path.symlink_to(target)


@check("modules-not-converted")
def modules_not_converted(trial: Trial) -> Iterator[str]:
    other = trial.scratch / "other"
    yield from accepted(trial.convert(trial.folder / "model"), "models.convert model")
    yield from accepted(trial.convert(trial.folder / "same-with-lm_head-alone", other), "models.convert same-…")
    if trial.model.exists() and other.exists():
        same = (trial.model / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
        yield from equal(same, True, "the same tensors")
    path = trial.folder / "model" / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"]["modules_to_not_convert"] += ["down_proj"]
    path.write_text(json.dumps(config))
    yield from refused(trial.convert(path.parent, trial.scratch / "kept"), "a linear that is kept", "down_proj")


@check("zero-filled-weights")
def zero_filled_weights(trial: Trial) -> Iterator[str]:
    """One rule for every format, and the tensors by name."""
    names = {"model": "model.layers.0.mlp.{}_proj", "gguf": "blk.0.ffn_{}"}
    statuses = {}
    for source in [trial.folder / "model", *trial.files("*.gguf")]:
        done = trial.convert(source, trial.scratch / f"from-{source.name}")
        statuses[source.name] = done.status
        form = names.get(source.suffix[1:], names["model"])
        missing = [name for name in map(form.format, ("gate", "up", "down")) if name not in done.err]
        if len(missing) == 3 or (missing and done.status == 0):
            yield f"{source.name}: expected {missing[0]} on standard error, found {done}"
        if "embedding" in done.err:
            yield f"{source.name}: a layer's tensor is called embedding: {done}"
        yield from refused(done, source.name) if done.status else ()
    if len(set(statuses.values())) > 1:
        yield f"no rule for every format: {statuses}"
