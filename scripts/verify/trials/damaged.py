"""Trials of files that are damaged or hostile: each is refused in one line, in time, and nothing is written."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from models.config import DEMO
from models.errors import TritloomError
from models.formats.gguf_file import GgufFile
from scripts.verify.trials.trial import Done, Trial, accepted, check, refused

__all__: list[str] = []

_SECONDS = 20  # of processor time for one file
_MEMORY = 1 << 30  # bytes: what is refused must not take much
_ENTRY = re.compile(r"vectors|thresholds|metadata")
_SENTENCE = "It is a truth universally acknowledged, that a single man in possession of a good fortune. "


def _bounded(done: Done, what: str, written: Path | None, *named: object) -> Iterator[str]:
    """Faults unless the file was refused, in proportion, and nothing is left where a model would go."""
    yield from refused(done, what, *named)
    if done.seconds > _SECONDS:
        yield f"{what}: {done.seconds:.0f} s of processor time"
    if done.memory > _MEMORY:
        yield f"{what}: {done.memory >> 20} MB of memory"
    if written is not None and (left := sorted(path.name for path in written.iterdir())):
        yield f"{what}: left behind: {', '.join(left)}"


@check("sec-gguf-types")
def sec_gguf_types(trial: Trial) -> Iterator[str]:
    for path in trial.files("*.gguf"):
        written = trial.scratch / "written"
        written.mkdir()
        done = trial.convert(path, written / "M")
        yield from _bounded(done, path.name, written, path.name)
        try:
            file = GgufFile(path)
            keys = [*file.fields, *file]
        except TritloomError:  # refused before there are entries
            keys = []
        if done.status == 2 and keys and not any(key in done.err for key in keys):
            yield f"{path.name}: expected an entry's name in the line, found {done}"
        shutil.rmtree(written)


@check("sec-sentencepiece")
def sec_sentencepiece(trial: Trial) -> Iterator[str]:
    for script in trial.files("make_*.py"):
        trial.shell([sys.executable, script.name], cwd=trial.folder)
    for path in trial.files("*.model"):
        folder, written = trial.scratch / "hf", trial.scratch / "written"
        shutil.copytree(trial.folder / "hf", folder)
        shutil.copy(path, folder / "tokenizer.model")
        written.mkdir()
        yield from _bounded(trial.convert(folder, written / "M"), path.name, written,
                            "tokenizer.model")
        shutil.rmtree(folder)
        shutil.rmtree(written)


@check("sec-templates")
def sec_templates(trial: Trial) -> Iterator[str]:
    for path in trial.files("*.json"):
        shutil.copytree(DEMO, trial.model)
        shutil.copy(path, trial.model / "chat.json")
        done = trial.run("host.chat", "--model", trial.model, "-n", 2, stdin="go\n")
        yield from _bounded(done, path.name, None, "chat.json")
        shutil.rmtree(trial.model)


@check("sec-artefacts")
def sec_artefacts(trial: Trial) -> Iterator[str]:
    for path in trial.files("*.safetensors"):
        strength = ":0.5" if path.name.startswith("s_") else ""
        done = trial.run("host.generate", "--stage", f"{path}{strength}", "-n", 3)
        yield from _bounded(done, path.name, None, path.name)
        if done.status == 2 and not _ENTRY.search(done.err.replace(str(path), "")):
            yield f"{path.name}: expected an entry's name in the line, found {done}"
    texts = [trial.scratch / f"{name}.txt" for name in ("toward", "away")]
    texts[0].write_text(_SENTENCE * 30)
    texts[1].write_text(_SENTENCE.upper() * 30)
    good = trial.scratch / "good.safetensors"
    done = trial.run("host.pipeline", "fit", "--kind", "steering", "--method", "difference-of-means", "--toward",
                     texts[0], "--away", texts[1], "--tokens", 64, "-o", good)
    yield from accepted(done, "host.pipeline fit")
    done = trial.run("host.generate", "--stage", f"{good}:1e-322", "-n", 3)
    yield from refused(done, "strength 1e-322") if done.status else ()
    other = trial.scratch / "other"
    shutil.copytree(DEMO, other)
    metadata = json.loads((other / "model.json").read_text())
    metadata["residual_fraction_bits"] -= 1
    (other / "model.json").write_text(json.dumps(metadata))
    done = trial.run("host.generate", "--model", other, "--stage", good, "-n", 3)
    yield from refused(done, "an artefact of another model", good.name)
