"""All steering methods between two manners: `python -m scripts.experiments.steering.evaluate_steering --data DIR`.

Steers the shipped model between Jane Austen's manner and the King James Bible's, on prompts that it never saw. It is
`python -m host.pipeline report --kind steering`, whose tables and picture go into docs/steering.md with --record. What
was measured is kept in a file of results, method by method, so that a further method costs only its own time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from host.pipeline.commands.steering_picture import draw
from host.pipeline.commands.steering_tables import sample_tables, steering_page, sweep_table
from host.pipeline.methods import find_methods
from host.pipeline.steering_bench.comparison import Compared, Plain, Settings, comparable, compare
from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.experiments.steering.manner import write_manners
from scripts.marked_text import rewrite_marked

__all__ = ["main", "record"]

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
_PICTURE = "steering.svg"
_WRITTEN = "written by scripts.experiments.steering.evaluate_steering --record"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.evaluate_steering", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="folder of the five novels and kjv.txt (without it only --results are reported)")
    parser.add_argument("--method", nargs="+", metavar="M", help="these alone (default: all)")
    parser.add_argument("--results", type=Path, metavar="FILE",
                        help="results as JSON: read if it is there, then those of this run are put in")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all processors)")
    parser.add_argument("--record", action="store_true", help="write tables, picture and samples into docs/steering.md")
    options = parser.parse_args(arguments)
    names = options.method or [cls.method for cls in comparable(find_methods())]
    plain, found = _read(options.results) if options.results and options.results.exists() else ([], [])
    if options.data:
        plain, measured = _measure(options.data, names, options.jobs)
        found = sorted([*(each for each in found if each.method not in names), *measured], key=lambda each: each.method)
        if options.results:
            options.results.write_text(json.dumps({"plain": [side._asdict() for side in plain],
                                                   "methods": [each.as_json() for each in found]}), encoding="utf-8")
    elif not found:
        raise OptionError("without --data there must be --results to report")
    if options.record:
        record(plain, found)
    print(steering_page(plain, found))


def _measure(data: Path, names: Sequence[str], jobs: int) -> tuple[list[Plain], list[Compared]]:
    with tempfile.TemporaryDirectory() as folder:
        texts = write_manners(data, Path(folder))
        settings = Settings("demo", texts.scripture, texts.austen, (texts.held_out_scripture, texts.held_out_austen))
        return compare(settings, names, jobs=jobs, on_done=_progress)


def _read(path: Path) -> tuple[list[Plain], list[Compared]]:
    kept = json.loads(path.read_text("utf-8"))
    return [Plain(**side) for side in kept["plain"]], [Compared.from_json(each) for each in kept["methods"]]


def record(plain: Sequence[Plain], found: Sequence[Compared]) -> None:
    """Write tables, picture and samples into the page."""
    draw(plain, found, _DOCUMENT.with_name(_PICTURE))
    for name, text in (("frontier", steering_page(plain, found)), ("sweep", sweep_table(found)),
                       ("samples", sample_tables(plain, found))):
        rewrite_marked(_DOCUMENT, f"<!-- {name}: {_WRITTEN} -->", f"<!-- {name}: end -->", lambda _, text=text: text)


def _progress(each: Compared) -> None:
    print(f"{each.method} toward {each.target}: {each.error or f'{len(each.rows)} conditions'}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
