"""Who may import whom (the packages' one-way rule), read from the sources without importing them.

``models`` imports nothing of ours. ``hw`` takes from ``models`` only, never the golden model, and its parts in an
order of their own. ``host`` takes ``models`` and itself. ``sim`` may take all. PyTorch belongs to training, from which
``host.pipeline`` takes inside functions alone what is fitted by gradients; ``pynq`` has one importer. What a board is,
``hw.boards``, is data without Amaranth: ``host`` reads it, and the converter, which says what no board can run.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tritloom", "models", "hw", "host", "sim")
BOARDS = "hw.boards"
BOARDS_FOLDER = "hw/boards/"
BOARD_DATA = "hw.sdram.timing"  # what a chip of a board asks for, without Amaranth as all of a board's data
BOARD_READERS = ("host/", "models/convert.py")
START_FILE = "tritloom/start.py"
FITTING = "host/pipeline/"
PYNQ_FILE = "host/board/overlay.py"

# package -> module prefixes that none of its files may import
FORBIDDEN = {
    "tritloom": ("amaranth", "cocotb", "torch", "pynq"),  # and its `start`, which all others import, nothing of ours
    "models": ("hw", "host", "sim", "amaranth", "cocotb", "pynq"),
    "hw": ("host", "sim", "models.golden", "models.train", "torch", "pynq"),
    "host": ("hw", "sim", "models.train", "amaranth", "cocotb", "torch"),
    "sim": ("models.train", "torch", "pynq"),
}

# parts of hw, each of which takes only from those before it
HW_ORDER = ("stream", "command", "arith", "memory", "control", "linear", "attention", "head", "vector", "core",
            "verilog", "emit", "synthesis", "place", "analytic", "report", "build")


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    late: bool  # inside a function, or for the type checker alone


def imports_of(source: str, package: str) -> Iterator[Import]:
    """Every module that ``source`` names in an import; ``package`` is the dotted package it lies in."""

    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, late)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join(filter(None, [*parents, base]))
            # `from models import golden` names the submodule only in its list
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, late)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0] if node.args else None
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield Import(str(first.value), node.lineno, late)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or isinstance(
                node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")

    return visit(ast.parse(source), False)


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def allows_torch(path: str) -> bool:
    return path.startswith("models/train")


def climbs(path: str, module: str) -> bool:
    """Whether a file of hw takes from a part of it that stands above its own."""
    own, other = Path(path).with_suffix("").parts[:2], tuple(module.split(".")[:2])
    if own[0] != "hw" or other[0] != "hw" or not {own[1], other[-1]} <= set(HW_ORDER):
        return False
    return HW_ORDER.index(other[1]) > HW_ORDER.index(own[1])


def allows_boards(path: str) -> bool:
    return path.startswith(BOARD_READERS)


def violations(root: Path) -> list[str]:
    """One line ``path:line: imports module`` for each import against the rules."""
    found = []
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            parents = ".".join(Path(path).parent.parts)
            for item in imports_of(file.read_text(encoding="utf-8"), parents):
                bad = any(within(item.module, prefix) for prefix in FORBIDDEN[package])
                bad &= not (within(item.module, BOARDS) and allows_boards(path))
                fits = item.late and path.startswith(FITTING)
                bad &= not (fits and (within(item.module, "models.train") or within(item.module, "torch")))
                bad |= path.startswith(BOARDS_FOLDER) and (within(item.module, "amaranth") or within(
                    item.module, "hw") and not within(item.module, BOARDS) and not within(item.module, BOARD_DATA))
                bad |= within(item.module, "torch") and not allows_torch(path) and not fits
                bad |= path == START_FILE and any(within(item.module, name) for name in PACKAGES)
                bad |= climbs(path, item.module)
                bad |= within(item.module, "pynq") and path != PYNQ_FILE
                if bad:
                    found.append(f"{path}:{item.line}: imports {item.module}")
    return found


def test_the_packages_import_one_way():
    assert violations(ROOT) == []


def test_the_rule_sees_our_files():
    names = {package for package in PACKAGES if list((ROOT / package).rglob("*.py"))}
    assert "sim" in names
    tree = list(imports_of((ROOT / "tests" / "test_imports.py").read_text(encoding="utf-8"), "tests"))
    assert {"ast", "pathlib.Path"} <= {item.module for item in tree}


@pytest.mark.parametrize(
    "path, source",
    [
        ("tritloom/start.py", "from models.errors import ModelError"),
        ("models/config.py", "import hw"),
        ("models/config.py", "def f():\n    from host.compiler import compile_program"),
        ("models/golden/norm.py", "from ...sim import runner\n"),
        ("models/golden/norm.py", "import torch"),
        ("models/convert.py", "import torch"),
        ("models/convert.py", "def f():\n    import torch"),
        ("models/checkpoint.py", "from hw.boards.registry import BUILDS"),
        ("models/convert.py", "from hw.emit import TOP"),
        ("hw/boards/kv260/board.py", "import amaranth"),
        ("hw/boards/kv260/board.py", "from hw.memory.axi import Axi4"),
        ("hw/boards/ulx3s/board.py", "from hw.sdram.memory import SdramMemory"),
        ("hw/norm.py", "import models.golden.norm"),
        ("hw/norm.py", "from models import golden"),
        ("hw/norm.py", "from models.golden import norm"),
        ("hw/norm.py", "import sim.runner"),
        ("hw/stream/queue.py", "from hw.command import COMMAND_BITS"),
        ("hw/memory/read_master.py", "from hw.control import registers"),
        ("hw/core.py", "import hw.build"),
        ("host/device.py", "import amaranth as am"),
        ("host/device.py", "from hw.build import build"),
        ("host/device.py", "import importlib\nimportlib.import_module('sim.rtl_device')"),
        ("host/device.py", "def f():\n    import torch"),
        ("host/device.py", "def f():\n    from models.train import initial"),
        ("host/pipeline/lqr.py", "from models.train import initial"),
        ("host/pipeline/lqr.py", "import torch"),
        ("host/device.py", "import pynq"),
        ("sim/board.py", "from pynq import Overlay"),
    ],
)
def test_a_planted_import_is_found(tmp_path, path, source):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    found = violations(tmp_path)
    assert len(found) == 1 and found[0].startswith(f"{path}:")


@pytest.mark.parametrize(
    "path, source",
    [
        ("models/convert.py", "from .formats import gguf\nfrom models.config import ModelConfig"),
        ("models/train/loop.py", "import torch"),
        ("models/train/loop.py", "def f():\n    import torch.nn.functional"),
        ("hw/norm.py", "from amaranth import Module\nfrom models.machine import registers"),
        ("hw/memory/read_master.py", "from hw.stream.round_robin import RoundRobin\nfrom hw.memory import axi"),
        ("hw/core.py", "from hw.vector.engine import VectorEngine"),
        ("host/compiler.py", "from models.golden import norm\nfrom . import device"),
        ("host/pipeline/lqr.py", "def f():\n    from models.train.initial import network_of\n    import torch"),
        ("host/pipeline/lqr.py", "if TYPE_CHECKING:\n    import torch"),
        ("host/board/overlay.py", "from pynq import Overlay"),
        ("host/batch.py", "from hw.boards.registry import BUILDS"),
        ("models/convert.py", "def f():\n    from hw.boards.registry import why_no_board"),
        ("hw/boards/kv260/board.py", "from hw.boards.board import Board\nfrom models.machine import build"),
        ("hw/boards/ulx3s/board.py", "from hw.sdram.timing import SdramTiming"),
        ("sim/runner.py", "import cocotb\nimport hw.norm\nimport host.device\nimport models.golden"),
    ],
)
def test_an_allowed_import_passes(tmp_path, path, source):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    assert violations(tmp_path) == []
