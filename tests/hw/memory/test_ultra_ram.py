"""The memory of two ports against a list, as UltraRAM's template and as Amaranth's memory."""

from __future__ import annotations

import random

import pytest

from hw.boards.technology import PLAIN, ULTRASCALE_PLUS
from hw.memory.ultra_ram import DualPortMemory, ultra_ram_models
from hw.verilog import to_verilog
from sim.runner import run_bench

DEPTH = 2048


def _cycles(cycles: int) -> tuple[dict[str, list[int]], dict[str, list[int | None]]]:
    """Inputs and outputs of both ports; no word is read in the cycle in which it is written."""
    pick, words = random.Random(1), dict.fromkeys(range(6), None)
    inputs = {name: [] for name in ("a_write", "a_address", "a_data", "b_address")}
    a_words, b_words, kept = [None, None], [None, None], None
    for _ in range(cycles):
        write, a, b, value = pick.random() < 0.5, pick.randrange(6), pick.randrange(6), pick.getrandbits(40)
        b = (b + 1) % 6 if write and a == b else b
        for name, given in zip(inputs, (int(write), a * 341, value, b * 341), strict=True):
            inputs[name].append(given)
        kept = kept if write else words[a]
        a_words.append(kept)
        b_words.append(words[b])
        if write:
            words[a] = value
    return inputs, {"a_word": a_words[:cycles], "b_word": b_words[:cycles]}


@pytest.mark.parametrize("technology", [ULTRASCALE_PLUS, PLAIN], ids=lambda technology: technology.name)
def test_both_ports(technology):
    inputs, outputs = _cycles(400)
    run_bench(DualPortMemory(40, DEPTH), "tests.hw.cycle_table", {"inputs": inputs, "outputs": outputs},
              technology=technology)


def test_ultra_ram_is_written_as_its_template():
    text = to_verilog(DualPortMemory(40, DEPTH), ULTRASCALE_PLUS, name="top")
    model = ultra_ram_models(text)
    assert text.endswith(model) and '(* ram_style = "ultra" *)' in model
    assert ultra_ram_models(to_verilog(DualPortMemory(40, DEPTH), PLAIN, name="top")) == ""
    assert "tritloom_ultra_ram" not in to_verilog(DualPortMemory(40, 1024), ULTRASCALE_PLUS, name="top")
