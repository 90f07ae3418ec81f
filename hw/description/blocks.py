"""A block diagram as SVG: the parts of a design, what each contains, and what they give each other."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot, log2
from xml.sax.saxutils import escape

from hw.description.hierarchy import Module, joints

__all__ = ["block_diagram"]

_WIDTH, _LINE, _GAP, _COLUMNS = 250, 15, 90, 3
_SHOWN = 14  # parts of a block that are named
_STYLE = ("text{font:12px sans-serif;fill:#222}.name{font-weight:bold;font-size:14px}.small{font-size:11px;fill:#555}"
          "rect{fill:#eef3fa;stroke:#4a6fa5;stroke-width:1.2}path{stroke:#b5651d;fill:none;opacity:.65}"
          "path:hover{stroke:#d00;opacity:1}")


def block_diagram(top: Module, modules: Mapping[str, Module]) -> str:
    """The parts of `top` as blocks, with the names of their own parts and how many modules those have in all. An arrow
    is as wide as what it carries; what that is stands in its title, which a viewer shows under the pointer.
    """
    blocks = {name: modules[path] for name, path in top.parts.items()}
    lines = {name: _lines(block, modules) for name, block in blocks.items()}
    heights = {name: 34 + _LINE * len(text) for name, text in lines.items()}
    places, bottom = _places(heights)
    width = _COLUMNS * (_WIDTH + _GAP) + _GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom}" width="{width}" role="img" '
             f'aria-label="Blocks of {escape(top.name)}"><style>{_STYLE}</style>',
             '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits='
             '"userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#b5651d"/></marker></defs>']
    for joint in joints(top, dict(modules)):
        path = _arrow(places[joint.giver], heights[joint.giver], places[joint.taker], heights[joint.taker])
        what = f"{joint.giver} to {joint.taker}, {joint.bits} bits: {', '.join(joint.names)}"
        parts.append(f'<path d="{path}" stroke-width="{1 + log2(joint.bits) / 3:.1f}" marker-end="url(#tip)">'
                     f'<title>{escape(what)}</title></path>')
    for name, (x, y) in places.items():
        parts.append(f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{heights[name]}" rx="6"/>'
                     f'<text class="name" x="{x + 10}" y="{y + 20}">{escape(name)}</text>')
        parts += [f'<text class="small" x="{x + 10}" y="{y + 38 + _LINE * n}">{escape(line)}</text>'
                  for n, line in enumerate(lines[name])]
    return "\n".join([*parts, "</svg>\n"])


def _lines(block: Module, modules: Mapping[str, Module]) -> list[str]:
    """The parts of a block, those of the most modules first where there is no room for all."""
    sizes = {name: sum(other == path or other.startswith(f"{path}.") for other in modules)
             for name, path in block.parts.items()}
    shown = sorted(sizes, key=lambda name: -sizes[name])[:_SHOWN]
    names = {name: name.partition("$")[0] for name in sizes}  # without the number of one whose name was taken
    lines = [names[name] if sizes[name] == 1 else f"{names[name]}, {sizes[name]} modules" for name in sizes
             if name in shown]
    return lines + [f"and {len(sizes) - len(shown)} more"] * (len(sizes) > len(shown))


def _places(heights: Mapping[str, int]) -> tuple[dict[str, tuple[int, int]], int]:
    """Left upper corners in rows of a few, and the height of all."""
    places, y = {}, _GAP // 2
    names = list(heights)
    for first in range(0, len(names), _COLUMNS):
        row = names[first:first + _COLUMNS]
        for column, name in enumerate(row):
            places[name] = _GAP + column * (_WIDTH + _GAP), y
        y += max(heights[name] for name in row) + _GAP
    return places, y


def _arrow(a: tuple[int, int], height_a: int, b: tuple[int, int], height_b: int) -> str:
    """From the edge of one block to that of another, bent aside, so that the way back is another line."""
    (ax, ay), (bx, by) = (a[0] + _WIDTH / 2, a[1] + height_a / 2), (b[0] + _WIDTH / 2, b[1] + height_b / 2)
    start, end = _edge(ax, ay, bx, by, height_a), _edge(bx, by, ax, ay, height_b)
    length = hypot(bx - ax, by - ay)
    aside = 14
    px, py = -(by - ay) / length * aside, (bx - ax) / length * aside
    middle = (start[0] + end[0]) / 2 + 2 * px, (start[1] + end[1]) / 2 + 2 * py
    return (f"M{start[0] + px:.0f} {start[1] + py:.0f}Q{middle[0]:.0f} {middle[1]:.0f} "
            f"{end[0] + px:.0f} {end[1] + py:.0f}")


def _edge(x: float, y: float, to_x: float, to_y: float, height: float) -> tuple[float, float]:
    """Where the line from a block's middle leaves it."""
    dx, dy = to_x - x, to_y - y
    scale = min(_WIDTH / 2 / abs(dx) if dx else 1e9, height / 2 / abs(dy) if dy else 1e9)
    return x + dx * scale, y + dy * scale
