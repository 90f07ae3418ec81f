"""Fine-tuning the shipped model with only some of its matrices free, to see what it learns and what it forgets.

Source: KappaTune ("The Condition Number as a Scale-Invariant Proxy for Information Encoding in Neural Units"), which
frees the matrices with the lowest condition numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.condition import Conditioned
from host.runtime import Session
from host.scoring import total_nll
from models.checkpoint import Model, load_model
from models.convert import convert
from models.errors import OptionError
from models.machine.build import CPU

__all__ = ["Choice", "Loss", "Settings", "Tuned", "choices", "forgotten_at", "new_text", "tune"]

_BLOCK, _HELD = 10, 4  # paragraphs of a block, of which each fourth is held out


class Settings(NamedTuple):
    """Of every fine-tune. every: steps between two looks. scored: tokens of each text at a look."""

    steps: int = 30
    every: int = 10
    batch: int = 4
    window: int = 256
    rate: float = 0.01
    scored: int = 1024


class Choice(NamedTuple):
    """Matrices to free, by the names of `models.train --only`. what: how they were chosen; draw: which random one."""

    what: str
    draw: int
    tensors: tuple[str, ...]
    weights: int


class Loss(NamedTuple):
    """Nats a token after some steps, on the exact emulator: of the new text's held-out part and of each old text."""

    step: int
    new: float
    old: tuple[float, ...]


class Tuned(NamedTuple):
    """A fine-tune. path: from the shipped model on; floating: the float network's losses at its end."""

    choice: Choice
    seed: int
    path: list[Loss]
    floating: Loss

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Tuned:
        """From what JSON made of one."""
        choice, (*path, last) = found["choice"], (Loss(step, new, tuple(old)) for step, new, old in
                                                  [*found["path"], found["floating"]])
        return cls(Choice(choice[0], choice[1], tuple(choice[2]), choice[3]), found["seed"], path, last)


def choices(matrices: Sequence[Conditioned], count: int, draws: int) -> list[Choice]:
    """All matrices; the `count` with the lowest and with the highest condition number; random ones; and, as condition
    numbers tell shapes apart, the highest and random ones among the lowest's shapes."""
    ordered = sorted(matrices, key=lambda one: one.number)
    lowest = ordered[:count]
    alike = [one for one in ordered if sorted(one.shape) in [sorted(low.shape) for low in lowest]]
    found = [_choice("all", 0, matrices), _choice("lowest", 0, lowest), _choice("highest", 0, ordered[-count:]),
             _choice("highest of the lowest's shapes", 0, alike[-count:])]
    for draw in range(draws):
        for what, among in (("random", ordered), ("random of the lowest's shapes", alike)):
            picked = np.random.default_rng([draw, len(among)]).choice(len(among), min(count, len(among)), replace=False)
            found.append(_choice(what, draw, [among[index] for index in picked]))
    return found


def _choice(what: str, draw: int, matrices: Sequence[Conditioned]) -> Choice:
    blocks = {name: "mlp" if name in ("gate", "up", "down") else "self_attn" for name in
              {one.name for one in matrices}}
    names = sorted(f"layers.{one.layer}.{blocks[one.name]}.{one.name}_proj" for one in matrices)
    return Choice(what, draw, tuple(names), sum(one.shape[0] * one.shape[1] for one in matrices))


def new_text() -> tuple[str, str]:
    """Python's language reference, as every Python brings it (`pydoc_data.topics`): to train on, and held out.

    A paragraph that stands in several topics counts once. Blocks of paragraphs are dealt out, so that both parts are of
    all topics.
    """
    from pydoc_data.topics import topics

    paragraphs: dict[str, str] = {}
    for text in topics.values():
        for paragraph in text.split("\n\n"):
            if words := " ".join(paragraph.split()):
                paragraphs.setdefault(words, paragraph)
    parts: tuple[list[str], list[str]] = [], []
    for index, paragraph in enumerate(paragraphs.values()):
        parts[index // _BLOCK % _HELD == _HELD - 1].append(paragraph)
    return "\n\n".join(parts[0]), "\n\n".join(parts[1])


def tune(choice: Choice, seed: int, settings: Settings, text: str, scored: Sequence[Sequence[int]], folder: Path
         ) -> Tuned:
    """One fine-tune in `folder`, or what is finished there. scored: ids of the new text's held-out part, then of old
    ones. `OptionError` for a folder of another one."""
    how = json.loads(json.dumps({"choice": choice, "seed": seed, **settings._asdict()}))
    if (done := folder / "tuned.json").exists():
        found = json.loads(done.read_text(encoding="utf-8"))
        if found["how"] != how:
            raise OptionError(f"{folder} was made with other options: give another folder")
        return Tuned.from_json(found["tuned"])
    import torch

    from models.train.corpus import Sampler, encode
    from models.train.export import export
    from models.train.freezing import free_only
    from models.train.initial import read_initial
    from models.train.loop import train
    from models.train.network import BitNet
    from models.train.recipe import Recipe, Shape

    folder.mkdir(parents=True, exist_ok=True)
    print(f"{choice.what} {choice.draw}, seed {seed}: {len(choice.tensors)} matrices", file=sys.stderr, flush=True)
    torch.set_num_threads(1)
    initial = read_initial("demo", Shape())
    network = BitNet(initial.shape)
    network.load_state_dict(initial.state)
    free_only(network, choice.tensors)
    path = [_emulated(0, load_model("demo"), scored)]

    def look() -> str:
        export(network, initial.tokenizer, folder / "trained")
        convert(folder / "trained", folder / "model")
        path.append(_emulated(len(path) * settings.every, load_model(folder / "model"), scored))
        return f"{path[-1].new:.4f}, {', '.join(f'{loss:.4f}' for loss in path[-1].old)} nats a token"

    recipe = Recipe(steps=settings.steps, batch=settings.batch, lr=settings.rate, warmup=1, decay=1.0, dropout=0.0,
                    weight_decay=0.0, dtype="float32", seed=seed, save_every=settings.every, log_every=settings.every)
    sampler = Sampler([encode(initial.tokenizer, [text])], [1.0], settings.batch, settings.window, seed)
    train(network, sampler, recipe, folder / "checkpoint.pt", look)
    tuned = Tuned(choice, seed, path, _floating(settings.steps, network, scored))
    done.write_text(json.dumps({"tuned": tuned._asdict(), "how": how}) + "\n", encoding="utf-8")
    return tuned


def _emulated(step: int, model: Model, scored: Sequence[Sequence[int]]) -> Loss:
    session = Session(model, EmulatorDevice(CPU))
    new, *old = (total_nll(session, ids) / (len(ids) - 1) for ids in scored)
    return Loss(step, new, tuple(old))


def _floating(step: int, network: Any, scored: Sequence[Sequence[int]]) -> Loss:
    import torch

    from models.train.evaluate import negative_log_likelihood

    new, *old = (negative_log_likelihood(network, torch.tensor(list(ids))) / (len(ids) - 1) for ids in scored)
    return Loss(step, new, tuple(old))


def forgotten_at(path: Sequence[Loss], gain: float) -> float | None:
    """How much the old texts' mean loss had grown when the new one's had fallen by `gain`, in nats a token, between two
    looks in proportion; None: it never had."""
    start, before = path[0], path[0]
    for loss in path[1:]:
        if start.new - loss.new >= gain:
            part = (before.new - start.new + gain) / (before.new - loss.new)
            old = [float(np.mean(each.old)) for each in (start, before, loss)]
            return old[1] + part * (old[2] - old[1]) - old[0]
        before = loss
    return None
