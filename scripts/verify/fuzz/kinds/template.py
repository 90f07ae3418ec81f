"""Chat templates: in the chat.json of a model folder, and in the files of a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from scripts.verify.fuzz.damage.jinja import SAMPLES, damage_template
from scripts.verify.fuzz.damage.json_values import json_bytes
from scripts.verify.fuzz.kinds.folder import write_folder
from scripts.verify.fuzz.kinds.huggingface import folder_files
from scripts.verify.fuzz.kinds.kind import Kind, Step, convert_step, model_steps
from scripts.verify.fuzz.kinds.own import own_files

__all__ = ["TemplateKind"]


class TemplateKind(Kind):
    """A template grown or damaged; the files around it are right."""

    def __init__(self, folder: Path):
        self._own, self._source = own_files(folder, "packed"), folder_files("packed")

    def write(self, rng: Random, folder: Path, *, damaged: bool = True) -> list[Step]:
        template, foreign = damage_template(rng) if damaged else rng.choice(SAMPLES), rng.random() < 0.25
        files = dict(self._source if foreign else self._own)
        if not foreign:
            files["chat.json"] = json_bytes(json.loads(files["chat.json"]) | {"template": template})
        elif rng.random() < 0.5:
            files["chat_template.jinja"] = template.encode(errors="surrogatepass")
        else:
            config = json.loads(files["tokenizer_config.json"])
            value = rng.choice((template, [{"name": "default", "template": template}], {"default": template}))
            files["tokenizer_config.json"] = json_bytes(config | {"chat_template": value})
        write_folder(folder / "model", files, rng, damaged)
        return [convert_step("model"), model_steps("out")[1]] if foreign else [model_steps("model")[1]]
