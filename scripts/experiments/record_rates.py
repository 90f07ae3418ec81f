"""Speeds by the memory's rate: `python -m scripts.experiments.record_rates "0.73B at 128, packed=FILE" ...`.

Each FILE is what `sim.bench --json` printed for a board whose DDR controller is simulated. Writes a row for each, under
the name before the last "=", into docs/memory-model.md: by the model, and with the data bus held to each rate, where
it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.json_file import read_object
from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked

__all__ = ["main", "table"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "memory-model.md"
_START, _END = "<!-- rates: written by scripts.experiments.record_rates -->", "<!-- rates: end -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.record_rates", description="Speeds by the memory's rate, as a table.")
    parser.add_argument("results", nargs="+", metavar="NAME=FILE", help="what sim.bench --json printed")
    parser.add_argument("--document", type=Path, default=_DOCUMENT, metavar="FILE", help="(default: the page)")
    options = parser.parse_args(arguments)
    found = {}
    for result in options.results:
        name, equals, file = result.rpartition("=")
        if not equals:
            raise OptionError(f"{result!r}: expected NAME=FILE")
        found[name] = read_object(Path(file))
    rows = table(found)
    rewrite_marked(options.document, _START, _END, lambda _: rows)


def table(found: Mapping[str, Mapping[str, object]]) -> str:
    """Of `sim.bench`'s JSON by name; a dash where one has no speed at another's rate. `OptionError` for other JSON."""
    rates = list(dict.fromkeys(rate for data in found.values() for rate in data.get("at_gb_s", {})))
    rows = []
    for name, data in found.items():
        if not {"cycles", "outstanding", "ddr_gb_s"} <= data.keys():
            raise OptionError(f"{name}: this is not what sim.bench --json prints")
        held = data.get("at_gb_s", {})
        rows.append([name, str(data["outstanding"]), f"{data['cycles']:,}", f"{data['ddr_gb_s']:.2f}", _speed(data),
                     *(_speed(held[rate]) if rate in held else "–" for rate in rates)])
    return markdown_table(["simulated, one layer for all", "bursts a port", "cycles", "GB/s", "by the model",
                           *(f"held to {rate} GB/s" for rate in rates)], rows)


def _speed(data: Mapping[str, object]) -> str:
    return f"{data['ttft_s']:.4f} s" if "ttft_s" in data else f"{data['tokens_per_s']:.1f} tok/s"


if __name__ == "__main__":
    run_command(main)
