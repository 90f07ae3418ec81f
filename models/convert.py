"""Command line: from other people's checkpoints to the project's own format."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from models.checkpoint_writer import CHAT, METADATA, TOKENIZER, check_target, new_checkpoint
from models.config import ACTIVATIONS, ModelConfig
from models.errors import ModelError
from models.formats import read_checkpoint
from models.quantise import quantise_into

__all__ = ["convert", "main", "report"]


def convert(source: Path, target: Path, *, activation: str | None = None, progress: bool = False) -> None:
    """Read `source`, quantise it, write the model folder `target` whole or not at all. Raises `ModelError`.

    A layer and a block of the vocabulary are in memory at a time. activation: of a GGUF file that does not tell.
    """
    check_target(target)
    original = read_checkpoint(source, activation=activation)
    with new_checkpoint(target, original.config, text=original.text) as writer:
        quantise_into(writer, original, progress=progress)


def report(target: Path) -> dict[str, object]:
    """What lies in a model folder, for `--json`."""
    made = json.loads((target / METADATA).read_text(encoding="utf-8"))
    return {"model": str(target), "config": made["config"],
            "parameters": ModelConfig.from_json(made["config"]).parameters,
            "residual_fraction_bits": made["residual_fraction_bits"], "provenance": made["provenance"],
            "tokenizer": (target / TOKENIZER).exists(), "chat": (target / CHAT).exists(),
            "bytes": sum(path.stat().st_size for path in target.iterdir())}


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m models.convert",
        description="Convert a ternary model to the project's own format: a folder with model.json, "
                    "model.safetensors and, where the source has them, tokenizer.json and chat.json. All numbers "
                    "become the machine's integers here, once.",
        epilog="SRC is a Hugging Face folder (config.json and safetensors, also sharded) of a BitNet b1.58 model: "
               "online masters, packed U8, 1bitLLM's names, or Llama-shaped without sub-norms; or a GGUF file of "
               "llama.cpp or bitnet.cpp (TQ1_0, TQ2_0, I2_S, or floats that are ternary already). An earlier model in "
               "DIR is replaced; a folder with other files is refused.")
    parser.add_argument("source", type=Path, metavar="SRC", help="the checkpoint to read")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="model folder to write")
    parser.add_argument("--activation", choices=ACTIVATIONS, help="of a GGUF file that does not tell which it has")
    parser.add_argument("--json", action="store_true", help="print what was made as one JSON object")
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.output, activation=options.activation, progress=True)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 2
    made = report(options.output)
    for what in made["provenance"].get("assumed", []):
        print(f"{options.source}: assumed {what}", file=sys.stderr)
    if options.json:
        print(json.dumps(made))
    else:
        print(f"{options.output}: {made['config']['name']}, {made['parameters']:,} weights in {made['bytes']:,} bytes, "
              f"residual with {made['residual_fraction_bits']} fraction bits")
        if not made["tokenizer"]:
            print(f"{options.source} has no tokenizer: the model takes token ids, not text", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
