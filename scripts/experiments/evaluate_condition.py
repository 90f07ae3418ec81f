"""What choosing matrices by their condition numbers saves of forgetting: `python -m
scripts.experiments.evaluate_condition --data DIR -o DIR --record`.

The shipped model is fine-tuned on Python's language reference with the matrices of some choice free, and scored on the
exact emulator: on held-out parts of the reference, which it learns, and on held-out old texts, which it forgets. What
is finished in the folder is kept.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from host.pipeline.audit.condition import conditions
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.config import LINEARS
from models.errors import OptionError
from models.markdown import markdown_table
from models.output import check_output_folder
from models.text_file import read_text_file
from scripts.experiments.score_bilingual import book
from scripts.experiments.selective_tuning import Settings, Tuned, choices, forgotten_at, new_text, tune
from scripts.marked_text import rewrite_marked

__all__ = ["main", "page"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audits.md"
_START = "<!-- tuning: written by scripts.experiments.evaluate_condition --record -->"
_END = "<!-- tuning: end -->"
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # 97.5 % quantiles at 1, 2, ... degrees of freedom
_CONTROLS = ("highest of the lowest's shapes", "random of the lowest's shapes")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_condition",
                           description="Fine-tunes of matrices chosen by their condition numbers.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the old texts")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="for all fine-tunes; kept")
    parser.add_argument("--count", type=int, default=9, help="matrices that a choice frees (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="fine-tunes of each choice; of random ones each has a "
                        "draw of its own (default: %(default)s)")
    for name, value in Settings()._asdict().items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help="of a fine-tune (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/audits.md")
    options = parser.parse_args(arguments)
    settings = Settings(**{name: getattr(options, name) for name in Settings._fields})
    model = load_model("demo")
    matrices = model.config.layers * len(LINEARS)
    if options.seeds < 2 or not 0 < options.count < matrices:
        raise OptionError(f"--seeds must be at least 2 and --count within 1 .. {matrices - 1}, got {options.seeds} and "
                          f"{options.count}")
    if min(settings) <= 0 or settings.steps % settings.every or settings.scored < 2:
        raise OptionError("options of a fine-tune must be above 0, --steps a multiple of --every, --scored at least 2")
    check_output_folder(options.output)
    text = Text(model.folder)
    new, held_out = new_text()
    novel, bible = (read_text_file(options.data / name) for name in ("austen_northanger_abbey.txt", "kjv.txt"))
    novel = novel[len(novel) // 20:]  # its front matter is no sample of it
    scored = [text.encode(part)[:settings.scored] for part in (held_out, novel, book(bible, "Romans"))]
    tuned = []
    for choice in choices(conditions(model, 1), options.count, options.seeds):
        own = choice.what.startswith("random")
        for seed in [choice.draw] if own else range(options.seeds) if choice.what != "all" else [0]:
            folder = options.output / f"{choice.what.replace(' ', '-').replace(chr(39), '')}-{choice.draw}-{seed}"
            tuned.append(tune(choice, seed, settings, new, scored, folder))
    shown = page(tuned, settings)
    print(shown)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: shown)


def page(tuned: Sequence[Tuned], settings: Settings) -> str:
    """Markdown: how it was done, a row a choice, the lowest beside its controls at equal gain."""
    start = tuned[0].path[0]
    alike = [one for one in tuned if one.choice.what in ("lowest", *_CONTROLS)]
    gains = sorted({min(one.path[0].new - min(loss.new for loss in one.path) for one in some)
                    for some in (tuned, alike)})  # what all have learnt, and what all of the lowest's shapes have
    how = (f"{settings.steps} steps of {settings.batch} windows of {settings.window} tokens at a rate of "
           f"{settings.rate:g} that falls to zero; scored every {settings.every} on {settings.scored:,} tokens of each "
           f"text. Reference of Python {platform.python_version()}. The shipped model: {start.new:.3f} nats a token of "
           f"the reference, {' and '.join(f'{loss:.3f}' for loss in start.old)} of *Northanger Abbey* and *Romans*. "
           "Mean ± standard error over fine-tunes.")
    whats = list(dict.fromkeys(one.choice.what for one in tuned))
    rows = []
    for what in whats:
        runs = [one for one in tuned if one.choice.what == what]
        learnt = [one.path[0].new - one.path[-1].new for one in runs]
        old = [[one.path[-1].old[which] - one.path[0].old[which] for one in runs] for which in range(2)]
        apart = max(abs(one.floating.new - one.path[-1].new) for one in runs)
        rows.append([what, str(len(runs)), str(len(runs[0].choice.tensors)),
                     f"{mean(one.choice.weights for one in runs) / 1e6:.2f}", _mean(learnt), *map(_mean, old),
                     *(_mean([forgotten_at(one.path, gain) for one in runs]) for gain in gains), f"{apart:.3f}"])
    table = markdown_table(
        ["free", "runs", "matrices", "weights, millions", "learnt", "forgotten, novel", "forgotten, *Romans*",
         *(f"forgotten where {gain:.2f} are learnt" for gain in gains), "float, apart by at most"], rows)
    return "\n\n".join([how, table, *_beside(alike, gains[-1])])


def _beside(tuned: Sequence[Tuned], gain: float) -> list[str]:
    """The lowest beside choices of the same shapes, run by run."""
    lines = []
    for control in _CONTROLS:
        mine, other = ([forgotten_at(one.path, gain) or 0.0 for one in tuned if one.choice.what == what]
                       for what in ("lowest", control))  # by seed; all of these reach the gain
        apart = [low - beside for low, beside in zip(mine, other, strict=True)]
        error = stdev(apart) / len(apart)**0.5
        certain = _STUDENT[min(len(apart) - 2, len(_STUDENT) - 1)] * error
        verdict = "a tie" if abs(mean(apart)) < certain else "less" if mean(apart) < 0 else "more"
        lines.append(f"Where {gain:.2f} nats are learnt the lowest forget {mean(apart):+.3f} ± {error:.3f} beside the "
                     f"{control}, paired by seed: {verdict} (Student's t, 95 %).")
    return lines


def _mean(given: Sequence[float | None]) -> str:
    values = [value for value in given if value is not None]
    if len(values) < len(given):
        return "not reached"
    error = f" ± {stdev(values) / len(values)**0.5:.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{error}"


if __name__ == "__main__":
    run_command(main)
