"""Predictions as tables for a reader."""

from __future__ import annotations

from collections.abc import Sequence

from hw.analytic.prediction import Prediction
from hw.boards.board import Board, Share

__all__ = ["choice_table", "error_percent"]


def choice_table(rows: Sequence[tuple[str, Prediction]], board: Board, share: Share) -> str:
    """Named predictions, one below the other, and what the engine may take. Cycles are those of a token of a pass,
    whatever rows a build takes at a time."""
    head = (f"{'':8}{'ports':>6}{'rows':>9}{'outputs':>8}{'buffer':>7}{'words':>7}{'decode':>13}{'weights':>8}"
            f"{'prefill':>13}{'array':>8}{'vector':>13}{'LUT':>8}{'DSP':>5}{'BRAM36':>7}{'URAM':>5}")
    units = (f"{'':8}{'':6}{'a pass':>9}{'a step':>8}{'steps':>7}{'':7}{'cycles/tok':>13}{'GB/s':>8}"
             f"{'cycles/tok':>13}{'GMAC/s':>8}{'cycles/tok':>13}")
    lines = [head, units]
    for name, found in rows:
        build, engine = found.build, found.engine
        lines.append(
            f"{name:8}{build.ports:6}{f'{build.rows} x {build.row_batches}':>9}{build.outputs_per_step:8}"
            f"{build.weight_buffer_steps:7}{build.accumulator_words:7}{found.decode.cycles:13,.0f}"
            f"{found.decode.linear_gb_s:8.2f}{found.prefill.cycles_a_row:13,.0f}{found.prefill.array_gmac_s:8.1f}{found.vector:13,.0f}"
            f"{engine.lut:8,}{engine.dsp:5}{engine.bram36:7g}{engine.uram:5}")
    sites = board.device.sites
    lines.append(f"{'share':8}{'':83}{'of the ' + board.device.name + ':':>9}".ljust(92)
                 + f"{share.lut * sites.lut:8,.0f}{sites.dsp:5}{share.bram36 * sites.bram36:7.0f}"
                 + f"{share.uram * sites.uram:5.0f}")
    return "\n".join(lines)


def error_percent(predicted: float, true: float) -> str:
    """Of a prediction, with its sign; empty where there is nothing to err about."""
    return f"{100 * (predicted / true - 1):+.1f}" if true else ""
