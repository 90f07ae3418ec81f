"""Emulator against float32 reference logits: `python -m scripts.verify.accuracy FIXTURES`.

FIXTURES holds folders with ids.npy, logits_float32.npy and checkpoints, Hugging Face folders hf_* and GGUF files.
Prints a Markdown table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.formats import read_checkpoint
from models.quantise import quantise_model

__all__ = ["cosines", "main"]


def cosines(checkpoint: Path, kv_bits: int) -> np.ndarray:
    """Cosine of the emulator's logits with the reference's, one a token."""
    ids, reference = (np.load(checkpoint.parent / name) for name in ("ids.npy", "logits_float32.npy"))
    build = replace(BUILDS["sim-tiny"], kv_bits=kv_bits)
    session = Session(quantise_model(read_checkpoint(checkpoint)), EmulatorDevice(build))
    logits = session.score(ids.reshape(-1)) / 65536.0
    product = (logits * reference).sum(axis=1)
    return product / np.linalg.norm(logits, axis=1) / np.linalg.norm(reference, axis=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.accuracy",
                           description="Cosine of integer logits against float32 transformers.")
    parser.add_argument("fixtures", type=Path)
    options = parser.parse_args(arguments)
    references = sorted(options.fixtures.glob("*/logits_float32.npy"))
    if not references:
        raise OptionError(f"{options.fixtures} has no */logits_float32.npy")
    print("| checkpoint | int8 cache: mean | min | int16 cache: mean | min |\n| --- | --- | --- | --- | --- |")
    for reference in references:
        family = reference.parent
        for checkpoint in sorted([*family.glob("hf_*"), *family.glob("*.gguf")]):
            figures = [cosines(checkpoint, bits) for bits in (8, 16)]
            cells = " | ".join(f"{c.mean():.5f} | {c.min():.5f}" for c in figures)
            print(f"| {family.name}/{checkpoint.name} | {cells} |")


if __name__ == "__main__":
    run_command(main)
