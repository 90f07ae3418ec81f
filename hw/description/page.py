"""The page of a build: its blocks, parameters, sites, predicted speed and registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hw.analytic.prediction import Prediction
from hw.boards.device import Device, Resources
from hw.description.hierarchy import Module
from models.machine.build import BuildParameters
from models.machine.registers import REGISTERS

__all__ = ["SiteCount", "build_page"]

_STYLE = ("body{font:15px/1.45 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
          "table{border-collapse:collapse;margin:.6rem 0}td,th{border:1px solid #ccc;padding:.2rem .6rem}th{text-align:"
          "left}td.n{text-align:right;font-variant-numeric:tabular-nums}code{background:#f3f3f3}svg{max-width:100%;"
          "height:auto}")
_ACCESS = {"ro": "read", "rw": "read, write", "wp": "write"}


@dataclass(frozen=True)
class SiteCount:
    """Sites that a build takes. what: how they were counted, and of which part of it."""

    what: str
    used: Resources
    names: Sequence[str]


def build_page(build: BuildParameters, identity: str, device: Device, sites: SiteCount,
               prediction: tuple[str, Prediction] | None, diagram: str, modules: Mapping[str, Module],
               files: Mapping[str, str]) -> str:
    """HTML without anything from elsewhere.

    prediction: of a model by its name, None for a board that is only simulated. diagram: SVG. modules: of the Verilog
    by path; files: where each one's Verilog lies, seen from the page.
    """
    sections = [
        f"<h1>{escape(build.name)}</h1><p>Build <code>{identity[:8]}</code>, {build.clock_mhz} MHz, for the "
        f"{escape(device.name)} ({escape(device.part)}).</p>",
        f"<h2>Blocks</h2>{diagram}<p>An arrow's title says what it carries.</p>",
        f"<h2>Sites</h2><p>{escape(sites.what)}</p>{_sites(sites, device)}",
        *([f"<h2>Predicted cycles</h2>{_speed(*prediction)}"] if prediction else []),
        f"<h2>Parameters</h2>{_table(('parameter', 'value'), ((n, v) for n, v in build.to_json().items()))}",
        "<h2>Registers</h2><p>AXI4-Lite, 32 bits each; also as a <a href='registers.h'>C header</a> and in "
        f"<a href='registers.rdl'>SystemRDL</a>.</p>{_registers()}",
        f"<h2>Verilog by unit</h2><p>Attributes <code>src</code> name the Python line.</p>{_units(modules, files)}",
    ]
    return (f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(build.name)}</title>"
            f"<style>{_STYLE}</style></head><body>\n" + "\n".join(sections) + "\n</body></html>\n")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers to the right; cells that are HTML already begin with a tag."""
    lines = ["<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    lines += ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _cell(value: object) -> str:
    if isinstance(value, (int, float)):
        return f"<td class='n'>{value:,}</td>"
    text = str(value)
    return f"<td>{text if text.startswith('<') else escape(text)}</td>"


def _sites(sites: SiteCount, device: Device) -> str:
    rows = []
    for name in sites.names:
        used, available = getattr(sites.used, name), getattr(device.sites, name)
        rows.append((name, used, available, round(100 * used / available, 1) if available else "-"))
    return _table(("site", "used", f"{device.name} has", "%"), rows)


def _speed(model: str, found: Prediction) -> str:
    rows = [(name, speed.rows, round(speed.cycles), round(speed.cycles_a_row), round(speed.seconds * 1e3, 3),
             round(speed.linear_gb_s, 2), round(speed.array_gmac_s, 1))
            for name, speed in (("decode", found.decode), ("prefill", found.prefill))]
    return f"<p>The linear layers of {escape(model)}, by the analytic model.</p>" + _table(
        ("pass", "rows (tokens)", "cycles", "cycles a token", "ms", "useful weights, GB/s", "useful, GMAC/s"), rows)


def _registers() -> str:
    return _table(("offset", "name", "access", "description"), (
        (f"<code>{r.offset:#04x}</code>", r.name, _ACCESS[r.access], r.description) for r in REGISTERS))


def _units(modules: Mapping[str, Module], files: Mapping[str, str]) -> str:
    return _table(("module", "Python"), (
        (f"<a href='{escape(files[path])}'>{escape(path)}</a>", module.source) for path, module in modules.items()))
