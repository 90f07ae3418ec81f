"""ik_llama.cpp's speed, by its own `llama-bench` on files that its own `llama-quantize` makes of a float16 one.

IQ2_BN and IQ2_BN_R4 are its formats for ternary weights, two bits a trit, the fastest peers known on a CPU. Ids are
drawn by the peer: `llama-bench` takes none. The embedding, which is the head as well, becomes q6_K. Decoding is timed
behind a prompt (`-gp`), as ours is: without one the peer attends to a few tokens only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from models.errors import BuildError, OptionError
from scripts.peers.child import child_output

__all__ = ["IK", "KINDS", "TOOLS", "describe_ik", "ik_speeds", "quantise", "tool"]

IK = "ik_llama.cpp"
KINDS = ("IQ2_BN", "IQ2_BN_R4")
TOOLS = ("llama-bench", "llama-quantize")
_EMBEDDING = "q6_K"


def tool(folder: Path, name: str) -> str:
    """Path of one of TOOLS; `OptionError` where the folder has none."""
    if not (folder / name).is_file():
        raise OptionError(f"no {name} in {folder}: give the folder of {' and '.join(TOOLS)} of a native build of {IK}")
    return str(folder / name)


def quantise(folder: Path, source: Path, scratch: Path) -> dict[str, Path]:
    """A file of each of KINDS, beside each other in `scratch`, from a float16 one."""
    files = {kind: scratch / f"{kind}.gguf" for kind in KINDS}
    for kind, file in files.items():
        child_output([tool(folder, "llama-quantize"), "--token-embedding-type", _EMBEDDING, str(source), str(file),
                      kind])
    return files


def ik_speeds(folder: Path, files: dict[str, Path], *, threads: int, prompt_tokens: int, new_tokens: int, repeats: int
              ) -> dict[str, dict[str, float]]:
    """Tokens a second by setting and phase, best of `repeats`: each file, with flash attention and without."""
    speeds: dict[str, dict[str, float]] = {}
    asked = ["-t", threads, "-p", prompt_tokens, "-n", 0, "-gp", f"{prompt_tokens},{new_tokens}", "-r", repeats]
    for kind, file in files.items():
        for name, flash in ((kind, 0), (f"{kind}, flash", 1)):
            rows = _bench(folder, file, [*asked, "-fa", flash])
            speeds[name] = {phase: max(next(row["samples_ts"] for row in rows if bool(row["n_gen"]) == generated))
                            for phase, generated in (("prefill", False), ("decode", True))}
    return speeds


def describe_ik(folder: Path, file: Path) -> dict[str, str]:
    """Commit and processor of the build, as it says itself."""
    row = _bench(folder, file, ["-t", 1, "-p", 0, "-n", 1, "-r", 1])[0]
    return {"commit": row["build_commit"], "cpu": row["cpu_info"]}


def _bench(folder: Path, file: Path, options: Sequence[object]) -> list[dict]:
    out = child_output([tool(folder, "llama-bench"), "-m", str(file), *map(str, options), "-o", "json"])
    try:
        return json.loads(out[out.index("["):])
    except ValueError:
        raise BuildError(f"llama-bench printed no JSON: {out[:80]!r}") from None
