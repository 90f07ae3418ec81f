"""--model, by which every command names a model."""

from __future__ import annotations

import argparse

__all__ = ["add_model_option"]


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """--model, as `models.store.naming.model_folder` takes it."""
    parser.add_argument("--model", default="demo", metavar="MODEL",
                        help="demo, chat or bilingual, a GGUF file, a folder (converted or Hugging Face's), "
                             "hf:ORG/NAME, or a name that tritloom models lists (default: %(default)s)")
