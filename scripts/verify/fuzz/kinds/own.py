"""The project's own model folders: model.json, model.safetensors, tokenizer.json, chat.json."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from models.convert import convert
from scripts.verify.fuzz.damage.json_values import damage_json
from scripts.verify.fuzz.damage.raw import damage_bytes
from scripts.verify.fuzz.damage.safetensors import damage_tensors, parse_tensors
from scripts.verify.fuzz.kinds.folder import write_folder
from scripts.verify.fuzz.kinds.huggingface import folder_files
from scripts.verify.fuzz.kinds.kind import Kind, Step, model_steps

__all__ = ["OwnKind", "own_files"]


def own_files(folder: Path, name: str) -> dict[str, bytes]:
    """The files of a model folder, converted from the Hugging Face folder `name`; made below `folder`."""
    source = folder / f"{name}-source"
    source.mkdir()
    for file, data in folder_files(name).items():
        (source / file).write_bytes(data)
    convert(source, folder / name)
    return {path.name: path.read_bytes() for path in sorted((folder / name).iterdir())}


class OwnKind(Kind):
    """One or two files of a model folder are damaged."""

    def __init__(self, folder: Path):
        self._folders = [own_files(folder, name) for name in ("packed", "llama")]

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        files = dict(rng.choice(self._folders))
        for name in rng.sample([*files], rng.choice((1, 1, 1, 2))) if damaged else ():
            draw = rng.random()
            if draw < 0.03:
                del files[name]
            elif draw < 0.08:
                files[name] = damage_bytes(files[name], rng)
            elif name.endswith(".safetensors"):
                files[name] = damage_tensors(parse_tensors(files[name]), rng)
            else:
                files[name] = damage_json(json.loads(files[name]), rng)
        write_folder(folder / "model", files, rng, damaged)
        return model_steps("model")
