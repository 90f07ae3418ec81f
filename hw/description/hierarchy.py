"""The modules of a build's Verilog: who contains whom, which wires join them, and the Python line that made each.

Reads the text that `hw.verilog` writes, in which names are paths: `tritloom__linear__tables` is `tables` in `linear`,
here `tritloom.linear.tables`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from hw.module_names import SEPARATOR

__all__ = ["Joint", "Module", "joints", "read_modules"]

_MODULE = re.compile(r"^(?:\(\* src = \"([^\"]*)\" \*\)\n)?module (?:\\(\S+) |([\w$]+)) ?[#(].*?^endmodule\n",
                     re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(?:\\(\S+) |(\w+));", re.MULTILINE)
_INSTANCE = re.compile(rf"^  \\?(\w+{SEPARATOR}[\w$]+) +(?:\\(\S+) |(\w+)) ?\(\n(.*?)^  \);",
                       re.MULTILINE | re.DOTALL)
_CONNECTION = re.compile(r"^    \.(?:\\(\S+) |(\w+))\((.*)\),?$", re.MULTILINE)
_COMMON = ("clk", "rst", "reset_engines")  # that all modules share
_RESETS = "reset_tree"  # the instance that gives clocks and resets to the others beside it


@dataclass
class Module:
    """path: from the top's name on. source: file and line of the Python that made it, "" where that is unknown. ports:
    direction and bits by name. parts: by instance, the path of its module. wiring: by instance, the net at each port.
    """

    path: str
    text: str
    source: str
    ports: dict[str, tuple[str, int]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    wiring: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own, without those of the modules around it."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Joint:
    """What one instance gives another: streams and signals by the giver's names for them, and their bits together."""

    giver: str
    taker: str
    names: tuple[str, ...]
    bits: int


def read_modules(verilog: str) -> dict[str, Module]:
    """All modules of a text by path, in its order."""
    found = {}
    for match in _MODULE.finditer(verilog):
        source, escaped, plain = match.groups()
        module = Module(_path(escaped or plain), match[0], source or "")
        for way, high, *name in _PORT.findall(match[0]):
            module.ports["".join(name)] = way, int(high or 0) + 1
        for kind, *name, connections in _INSTANCE.findall(match[0]):
            instance = "".join(name)
            module.parts[instance] = _path(kind)
            module.wiring[instance] = {"".join(port): net.strip() for *port, net in _CONNECTION.findall(connections)}
        found[module.path] = module
    return found


def _path(name: str) -> str:
    return name.replace(SEPARATOR, ".")


def joints(module: Module, modules: dict[str, Module]) -> list[Joint]:
    """What the parts of a module give each other; what all of them share is left out."""
    givers: dict[str, tuple[str, str, int]] = {}
    takers: dict[str, list[str]] = defaultdict(list)
    for instance, wiring in module.wiring.items():
        ports = modules[module.parts[instance]].ports
        for port, net in wiring.items():
            way, bits = ports.get(port, ("input", 1))
            if instance == _RESETS:
                continue
            if way == "output":
                givers[net] = instance, port, bits
            elif net not in _COMMON:
                takers[net].append(instance)
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for net, instances in takers.items():
        if net in givers:
            giver, port, bits = givers[net]
            name = port.partition("$")[0].partition("__")[0] or net
            for taker in instances:
                if taker != giver:
                    names = found[giver, taker]
                    names[name] = names.get(name, 0) + bits
    return [Joint(*pair, tuple(sorted(names)), sum(names.values())) for pair, names in sorted(found.items())]
