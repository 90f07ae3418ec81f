"""Registers that no tool makes one of or takes into another."""

from __future__ import annotations

__all__ = ["KEPT"]

KEPT = {"keep": "true", "equivalent_register_removal": "no"}
"""Attributes of a register that drives its share of many loads beside equal ones: Yosys (`hw.synthesis.yosys`) and
Vivado leave it alone. It should be loaded in every cycle and without a reset; Yosys gives it neither enable nor reset
pin.
"""
