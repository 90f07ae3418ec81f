"""The peer's half of scripts.peers.compare_peers: llama.cpp's speed. Run as a file, by the Python that has llama_cpp.

With the argument `describe` it prints what was built and how; else it reads a `Request` as one JSON object from
standard input. Either answer is one JSON object on standard output. It imports nothing of ours, so that any Python with
llama-cpp-python can run it.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["SETTINGS", "HighLevelPeer", "Peer", "Request", "main"]

_Q8_0 = 8  # ggml's number of the type
SETTINGS = {"plain": {"flash": False, "cache": None}, "flash": {"flash": True, "cache": None},
            "flash, q8_0 cache": {"flash": True, "cache": _Q8_0}}
"""What was seen to matter to llama.cpp's speed on a CPU; cache None is its default, float16.

A batch of 128 or 512, memory mapping or not, repacked Q8_0 or not and a float32 cache do not, or slow it down.
"""


@dataclass(frozen=True)
class Request:
    """Feed `prompt` in one batch, then `steps` one at a time, in every setting, `repeats` times after a warm-up.

    high_level: by llama-cpp-python's class `Llama` and not by llama.cpp's functions.
    """

    model: str
    prompt: list[int]
    steps: list[int]
    threads: int
    repeats: int
    high_level: bool

    @property
    def context(self) -> int:
        """Positions to make room for."""
        return -(-(len(self.prompt) + len(self.steps)) // 256) * 256


class Peer:
    """llama.cpp with one model and one sequence, without llama-cpp-python's class."""

    def __init__(self, request: Request, *, flash: bool, cache: int | None):
        import llama_cpp
        self._api = llama_cpp
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(request.model.encode(), llama_cpp.llama_model_default_params())
        if not model:
            raise SystemExit(f"llama.cpp cannot load {request.model}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = request.context
        parameters.n_threads = parameters.n_threads_batch = request.threads
        parameters.flash_attn_type = int(flash)
        if cache is not None:
            parameters.type_k = parameters.type_v = cache
        parameters.no_perf = False
        self._context = llama_cpp.llama_init_from_model(model, parameters)
        if not self._context:
            raise SystemExit("llama.cpp cannot make a context")

    def reset(self) -> None:
        """Forget the sequence, and what llama.cpp counted."""
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        self._api.llama_perf_context_reset(self._context)

    def feed(self, ids: Sequence[int]) -> None:
        """Append tokens; the logits after the last are there when this returns."""
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        if status := self._api.llama_decode(self._context, self._api.llama_batch_get_one(tokens, len(ids))):
            raise SystemExit(f"llama_decode returned {status}")
        self._api.llama_synchronize(self._context)

    def own_seconds(self) -> tuple[float, float]:
        """By llama.cpp's own clock, since the reset: in batches, in single tokens."""
        counted = self._api.llama_perf_context(self._context)
        return counted.t_p_eval_ms / 1000, counted.t_eval_ms / 1000


class HighLevelPeer:
    """The same by llama-cpp-python's class, as its users call it."""

    def __init__(self, request: Request, *, flash: bool, cache: int | None):
        from llama_cpp import Llama
        self._llama = Llama(request.model, n_ctx=request.context, n_batch=request.context, n_ubatch=request.context,
                            n_threads=request.threads, n_threads_batch=request.threads, flash_attn=flash,
                            type_k=cache, type_v=cache, verbose=False)
        self.reset, self.feed = self._llama.reset, self._llama.eval


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _describe() -> dict[str, object]:
    try:
        import llama_cpp
    except ImportError as error:
        raise SystemExit(f"no llama_cpp: {error}") from None
    return {"version": llama_cpp.__version__, "system_info": llama_cpp.llama_print_system_info().decode().strip()}


def _measure(request: Request) -> dict[str, dict[str, list[float]]]:
    """For each setting: seconds of prompt and of steps, and llama.cpp's own count of them, one a repeat."""
    kind = HighLevelPeer if request.high_level else Peer
    peers = {name: kind(request, **setting) for name, setting in SETTINGS.items()}
    seconds: dict[str, dict[str, list[float]]] = {
        name: {key: [] for key in ("prefill_s", "decode_s", "own_prefill_s", "own_decode_s")} for name in peers}
    for repeat in range(1 + request.repeats):
        for name, peer in peers.items():
            peer.reset()
            row = [_seconds(lambda peer=peer: peer.feed(request.prompt)),
                   _seconds(lambda peer=peer: [peer.feed([token]) for token in request.steps])]
            row += [] if request.high_level else peer.own_seconds()
            if repeat:
                for values, value in zip(seconds[name].values(), row, strict=False):
                    values.append(value)
    return seconds


def main() -> None:
    """The process."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp's log must not mix with the answer
    result = _describe() if sys.argv[1:] == ["describe"] else _measure(Request(**json.load(sys.stdin)))
    print(json.dumps(result), file=answer, flush=True)
    os._exit(0)  # the contexts go with the process, in no order that a destructor must guess


if __name__ == "__main__":
    main()
