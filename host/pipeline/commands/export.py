"""`python -m host.pipeline export`: an artefact's vectors as llama.cpp's control vector."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from host.pipeline.loading import load_stages
from host.pipeline.methods import Methods
from host.pipeline.steering.added_vectors import AddedVectors
from host.pipeline.steering.vector import write_control_vector
from models.checkpoint import load_model
from models.errors import OptionError

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser."""
    parser = commands.add_parser("export", help="write a vector as llama.cpp's control vector",
                                 description="Write the vectors of an artefact, times its strength, as a GGUF file "
                                 "that llama.cpp takes with --control-vector. Layer 0 cannot be steered there.")
    parser.add_argument("artefact", metavar="ARTEFACT[:STRENGTH]")
    parser.add_argument("--model", default="demo", metavar="DIR",
                        help="the model that it was fitted to: a model's folder, demo (default) or bilingual")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="GGUF")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=lambda options: _run(options, methods))


def _run(options: argparse.Namespace, methods: Methods) -> None:
    model = load_model(options.model)
    [(name, stage)] = load_stages(model, [options.artefact], methods)
    if not isinstance(stage, AddedVectors):
        raise OptionError(f"{name} is {stage.kind} by {stage.method}, which adds no vectors: llama.cpp has nothing for "
                          "it")
    write_control_vector(options.output, stage.added, model.config.name)
    if options.json:
        print(json.dumps({"layers": sorted(stage.layers), "gguf": str(options.output)}))
    else:
        print(f"control vector written to {options.output}")
