"""Copies in the training text, at equal tokens:
`python -m scripts.experiments.evaluate_bi_induct --data DIR --models DIR --record`.

Toys of two layers are trained on plain text, on text with copied spans and on text with mirrored ones, three seeds
each, in as many steps of the same windows. Their induction heads are looked at and taken out on the exact emulator.
Source: "Induction Signatures Are Not Enough" (Bi-Induct). What is trained and measured is kept in --models and not done
again, so that several processes may share the seeds. Training takes PyTorch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.heads.ablation import Ablated, Head, all_heads, matched_draws
from host.pipeline.heads.attention_weights import AttentionReader
from host.pipeline.heads.induction_scores import Looks, looks
from host.pipeline.heads.load_bearing import Sequences, Trial, estimate
from host.pipeline.heads.repeats import repeated_passages, repeated_sequences, reversed_sequences
from host.pipeline.steering_bench.material import body
from host.pipeline.texts import spread
from host.text import Text
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.convert import convert
from models.json_file import read_object
from models.machine.build import CPU
from models.markdown import markdown_table
from scripts.experiments.copied_snippets import BACKWARD, FORWARD, PLAIN, CopiedSnippets
from scripts.experiments.steering.manner import AUSTEN, read_manners
from scripts.marked_text import rewrite_marked

__all__ = ["ARMS", "MARKS", "main", "measure", "page", "train_toy"]

ARMS = {PLAIN: "plain text", FORWARD: "copied spans", BACKWARD: "mirrored spans"}
_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audits.md"
MARKS = ("<!-- bi-induct: written by scripts.experiments.evaluate_bi_induct --record -->", "<!-- bi-induct: end -->")
SHAPE = {"vocab": 320, "hidden": 96, "ffn": 192, "layers": 2, "heads": 4, "kv_heads": 4, "head_dim": 24, "context": 64}
RECIPE = {"steps": 1000, "batch": 16, "lr": 1.2e-2, "dropout": 0.0, "dtype": "float32", "log_every": 100,
          "save_every": 10_000}
SPANS = {"share": 1.0, "least": 8, "most": 32}
_CHARACTERS = 1_500_000  # of each manner that is trained on
_SEQUENCES, _WINDOWS, _DRAWS = 32, 64, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_bi_induct", description="Copies in the text of training.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the five novels and kjv.txt")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="folder of the toys, made if need be")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the runs (default: 0 1 2)")
    parser.add_argument("--record", action="store_true", help="write the section into docs/audits.md")
    options = parser.parse_args(arguments)
    training, held_out = read_manners(options.data)
    found = []
    for seed in options.seeds:
        for arm in ARMS:
            folder = options.models / f"{arm}-{seed}"
            answer = folder / "found.json"
            if not answer.exists():
                if not (folder / "model").exists():
                    train_toy([text[:_CHARACTERS] for text in training.values()], arm, seed, folder, SHAPE, RECIPE)
                model = load_model(folder / "model")
                ids = Text(model.folder).encode(body(held_out[AUSTEN]))
                answer.write_text(json.dumps({"arm": arm, "seed": seed} | measure(model, ids, seed)), encoding="utf-8")
            found.append(read_object(answer))
    if options.record:
        rewrite_marked(_DOCUMENT, *MARKS, lambda _: page(found))
    print(page(found))


def train_toy(texts: Sequence[str], arm: str, seed: int, folder: Path, shape: dict[str, Any], recipe: dict[str, Any]
              ) -> None:
    """Train a network on texts in an arm's way and leave it, converted, in `folder`/model."""
    import torch  # late: pages need none

    from models.train.corpus import Sampler, encode
    from models.train.export import export
    from models.train.loop import train
    from models.train.network import BitNet
    from models.train.recipe import Recipe, Shape
    from models.train.tokenizer import train_tokenizer

    sizes, settings = Shape(**shape), Recipe(seed=seed, **recipe)
    tokenizer = train_tokenizer(texts, sizes.vocab)
    sampler = Sampler([encode(tokenizer, texts)], [1.0], settings.batch, sizes.context, seed)
    torch.manual_seed(seed)
    network = BitNet(sizes, settings.dropout)
    folder.mkdir(parents=True, exist_ok=True)

    def saved() -> str:
        export(network, tokenizer, folder / "trained")
        return "exported"

    train(network, CopiedSnippets(sampler, arm, context=sizes.context, seed=seed, **SPANS), settings,
          folder / "checkpoint.pt", saved)
    convert(folder / "trained", folder / "model")


def measure(model: Model, ids: Sequence[int], seed: int, *, sequences: int = _SEQUENCES, windows: int = _WINDOWS,
            period: int = SHAPE["context"] // 2) -> dict[str, Any]:
    """What a toy's heads look at, what repeats are worth to it, and what is lost without its highest-scoring head.

    ids: held-out text. Two trials: copies with the head that looks most behind the earlier occurrence, and mirror
    images with the one that looks most in front of it.
    """
    size = model.config.context
    spread_ids = spread(ids, windows * size, size)
    texts = [list(spread_ids[start:start + size]) for start in range(0, len(spread_ids) - size + 1, size)]
    passages = repeated_passages(texts, period)
    forth, back = (made(ids, sequences, period, seed) for made in (repeated_sequences, reversed_sequences))
    reader = AttentionReader(model, EmulatorDevice(CPU))
    seen = Looks(*np.mean([looks(reader(each.ids).weights, each.period) for each in forth], axis=0))
    ablated, result = Ablated(model), {}
    for name, repeated, scores in (("copies", forth, seen.prefix), ("mirrors", back, seen.before)):
        top = max(all_heads(model.config), key=lambda head: scores[head])
        trial = Trial(ablated, Sequences(repeated, passages, texts))
        result[name] = {"head": str(top), "score": float(scores[top]), "elsewhere": float(seen.elsewhere[top]),
                        "plain": {kind: value.mean for kind, value in trial.plain.estimates().items()},
                        "excess": _excess(trial, top, model, seed)}
    return result


def _excess(trial: Trial, head: Head, model: Model, seed: int) -> dict[str, float]:
    found = trial.against([head], matched_draws(model.config, [head], _DRAWS, seed))
    return {kind: value.mean for kind, value in found["excess"].items()}


_COLUMNS = (("behind the earlier occurrence (elsewhere)", "copies", ("score",)),
            ("in front of it", "mirrors", ("score",)),
            ("text", "copies", ("plain", "text")),
            ("copies: second less first", "copies", ("plain", "repeat")),
            ("passages", "copies", ("plain", "passage")),
            ("mirrors", "mirrors", ("plain", "repeat")))
_CARRIED = (("copies", "copies", ("excess", "repeat")), ("passages", "copies", ("excess", "passage")),
            ("mirrors, head that looks in front", "mirrors", ("excess", "repeat")),
            ("text", "copies", ("excess", "text")))


def page(found: Sequence[dict[str, Any]]) -> str:
    """Two tables: what the arms show, and what their highest-scoring head carries."""
    arms = [arm for arm in ARMS if any(each["arm"] == arm for each in found)]
    seeds = {arm: sum(each["arm"] == arm for each in found) for arm in arms}

    def over_seeds(arm: str, kind: str, path: Sequence[str]) -> str:
        values = []
        for each in found:
            if each["arm"] == arm:
                value = each[kind]
                for name in path:
                    value = value[name]
                values.append(value)
        mean, error = estimate(np.array(values))
        return f"{mean:.3f} ± {error:.3f}"

    def table(columns: Sequence[tuple[str, str, Sequence[str]]]) -> str:
        rows = []
        for arm in arms:
            cells = [over_seeds(arm, kind, path) for _, kind, path in columns]
            if columns is _COLUMNS:
                cells[0] += f" ({over_seeds(arm, 'copies', ('elsewhere',))})"
            rows.append([ARMS[arm], *cells])
        return markdown_table(["trained on", *(title for title, _, _ in columns)], rows)

    return "\n\n".join([
        f"Seeds: {', '.join(f'{ARMS[arm]} {count}' for arm, count in seeds.items())}; mean ± standard error over them. "
        f"{RECIPE['steps']} steps of {RECIPE['batch']} windows of {SHAPE['context']} tokens each.",
        table(_COLUMNS),
        "Rise without the highest-scoring head less that without matched random heads, nats a token:",
        table(_CARRIED)])


if __name__ == "__main__":
    run_command(main)
