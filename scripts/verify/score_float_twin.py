"""The float twin's figure beside `host.score`: `python -m scripts.verify.score_float_twin --text FILE [--model DIR]`.

Same text, same windows; the model's integers as float32 numbers, everything between them in float32.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from host.scoring import float_negative_log_likelihood, windows
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.dequantise import float_model
from models.float_twin import float_logits
from models.text_file import read_text_file

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.score_float_twin",
                           description="Bits per character of a text by the float twin.")
    parser.add_argument("--model", default="demo", metavar="DIR")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    twin, content = float_model(model), read_text_file(options.text)
    text = Text(model.folder)
    ids = np.array(text.before + text.encode(content))
    nll = 0.0
    for start, scored, end in tqdm(list(windows(len(ids), model.config.context)), unit="window", file=sys.stderr):
        logits = float_logits(twin, ids[start:end])[scored - start:].astype(np.float64)
        nll += float_negative_log_likelihood(logits, ids[scored + 1:end + 1])
    bits = nll / math.log(2) / len(content)
    print(json.dumps({"tokens": len(ids), "characters": len(content), "nll": nll, "bits_per_character": bits}))


if __name__ == "__main__":
    run_command(main)
