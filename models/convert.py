"""Command line: from other people's checkpoints to the project's own format."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.checkpoint_writer import CHAT, METADATA, TOKENIZER, check_target, new_checkpoint
from models.command import CommandParser, run_command
from models.config import ACTIVATIONS, NORMS, ModelConfig
from models.errors import BuildError, ModelError, printable
from models.formats import read_checkpoint
from models.formats.zeros import zeros_in_words
from models.machine.build import CPU
from models.output import check_output_folder
from models.quantise import quantise_into
from models.store.content import sha256_of, weight_files

__all__ = ["convert", "main", "parser", "report"]


def convert(source: Path, target: Path, *, activation: str | None = None, progress: bool = False,
            sha256: Mapping[str, str] | None = None) -> None:
    """Read `source`, quantise it, write the model folder `target` whole or not at all. Raises `ModelError`, also for a
    model whose sizes no device runs.

    A layer and a block of the vocabulary are in memory at a time. activation: of a GGUF file that does not tell.
    sha256: of the files of weights, for the record; found here where it is not given.
    """
    check_target(target)
    original = read_checkpoint(source, activation=activation)
    try:
        CPU.check(CPU.fitted(original.config))
    except BuildError as error:
        raise ModelError(f"{source}: no device runs it: {error}") from None
    hashes = sha256_of(weight_files(source), progress=progress) if sha256 is None else dict(sha256)
    original = replace(original, provenance=original.provenance | {"sha256": hashes})
    with new_checkpoint(target, original.config, text=original.text, generation=original.card.generation) as writer:
        quantise_into(writer, original, progress=progress)


def report(target: Path) -> dict[str, Any]:
    """What lies in a model folder, for `--json`, with strings as the files have them. notes: what there is to say."""
    made = json.loads((target / METADATA).read_text(encoding="utf-8"))
    config = ModelConfig.from_json(made["config"])
    return {"model": str(target), "config": made["config"], "parameters": config.parameters,
            "residual_fraction_bits": made["residual_fraction_bits"], "provenance": made["provenance"],
            "generation": made.get("generation", {}),
            "notes": _notes(config, made["provenance"]),
            "tokenizer": (target / TOKENIZER).exists(), "chat": (target / CHAT).exists(),
            "bytes": sum(path.stat().st_size for path in target.iterdir())}


def _notes(config: ModelConfig, provenance: dict) -> list[str]:
    notes = [f"assumed {what}" for what in provenance.get("assumed", [])] + provenance.get("notes", [])
    if zeros := provenance.get("zeros"):
        notes.append(zeros_in_words(zeros))
    if raised := provenance.get("residual_raised"):
        notes.append(f"the residual's scale was raised for {raised}")
    for kind, method, in_fabric in (("normalisation", config.norm, NORMS[:1]),
                                    ("activation", config.activation, ACTIVATIONS)):
        if method not in in_fabric:
            notes.append(f"needs its {method}, a stage: python -m host.pipeline fit --kind {kind} --method {method} "
                         "--checkpoint SRC --model DIR -o ARTEFACT")
    if config.grouped:
        notes.append("int8 activations: a model whose scales differ by group may have been trained with float ones; "
                     "docs/checkpoints.md says what that costs")
    from hw.boards.registry import why_no_board  # late: of all of `models`, what is said here alone is about boards

    if reasons := why_no_board(config):
        notes.append(f"runs on the emulator only: {'; '.join(reasons)}")
    return notes


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser(
        "models.convert",
        description="Convert a ternary model to the project's own format: a folder with model.json, "
                    "model.safetensors and, where the source has them, tokenizer.json and chat.json. All numbers "
                    "become the machine's integers here, once.",
        epilog="SRC is a Hugging Face folder (config.json and safetensors, also sharded) of a BitNet b1.58 model: "
               "online masters, packed U8, 1bitLLM's names, Llama-shaped without sub-norms, or Qwen3-shaped; or a GGUF "
               "file of llama.cpp, of a fork of it or of bitnet.cpp (TQ1_0, TQ2_0, Q2_0, PQ2_0, PTQ1_0, I2_S, or "
               "floats that are ternary already). An earlier model in DIR is replaced; a folder with other files is "
               "refused.")
    result.add_argument("source", type=Path, metavar="SRC", help="the checkpoint to read")
    result.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="model folder to write")
    result.add_argument("--activation", choices=ACTIVATIONS, help="of a GGUF file that does not tell which it has")
    result.add_argument("--json", action="store_true", help="print what was made as one JSON object")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    check_output_folder(options.output)
    convert(options.source, options.output, activation=options.activation, progress=True)
    made = report(options.output)
    for note in made["notes"]:
        print(printable(f"{options.source}: {note}"), file=sys.stderr)
    if options.json:
        print(json.dumps(made))
    else:
        name = printable(made["config"]["name"])
        print(f"{options.output}: {name}, {made['parameters']:,} weights in {made['bytes']:,} bytes, "
              f"residual with {made['residual_fraction_bits']} fraction bits")
        if not made["tokenizer"]:
            print(f"{options.source} has no tokenizer: the model takes token ids, not text", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
