"""The phases: what each simulates, and how a few layers and passes stand for a whole model.

A pass is a start (descriptors, the residual's load), layers that are all alike, and the head. The layers' cycles are
those of a pass without a head, less its start; the head's are what the same pass takes more with one. The first
layer begins with an empty weight buffer, so one layer simulated costs a little more than one of many. Rows of an exact
head that are not simulated are taken as like those that are; a shortlist is chosen among all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.runtime import Session
from models.errors import OptionError
from models.machine.descriptor import Engine
from models.machine.layout import head_beats
from sim.bench.counts import Counts
from sim.bench.linears import linears_program
from sim.bench.workload import Workload, fill_cache

__all__ = ["Measurement", "chunks", "hat_weights", "measure_decode", "measure_linear", "measure_prefill"]

_PASSES_SIMULATED = 3  # of a prompt's: the first, the middle and the last


@dataclass(frozen=True)
class Measurement:
    """`counts` of the whole model; `tokens` went through its linear layers in `passes` over their weights.

    head: which one, "exact" or "shortlist"; `head_rows` went through it in `head_passes` over all rows of the head, or
    of its ternary copy.
    """

    counts: Counts
    tokens: int
    passes: float
    head: str = "exact"
    head_rows: int = 0
    head_passes: int = 0


def measure_linear(workload: Workload, session: Session, rows: int) -> Measurement:
    """The linear layers alone for `rows` rows, from the issue of the first STREAM to the last MATMUL's retirement."""
    device = session.device
    rng = np.random.default_rng(1)
    residual = rng.integers(-1 << 16, 1 << 16, rows * session.model.config.hidden_size).astype("<i4")
    descriptors = linears_program(session, rows)
    for name, data in (("residual_in", residual.tobytes()), ("descriptors", b"".join(descriptors))):
        start = session.program.memory[name]
        if len(data) > session.program.memory.sizes[name]:
            raise ValueError(f"{name}: {len(data)} bytes do not fit")
        session.buffer.array[start:start + len(data)] = np.frombuffer(data, np.uint8)
        device.flush(session.buffer, start, len(data))
    device.run(session.buffer.address + session.program.memory["descriptors"], len(descriptors), 0)
    timeline = device.timeline
    return Measurement(timeline.counts(timeline.first(Engine.FETCH)) * workload.layer_scale, rows, 1)


def measure_decode(workload: Workload, session: Session, context: int) -> Measurement:
    """A token of each of the session's sequences, all at position `context` - 1, each with the head behind it."""
    _check_room(session, context)
    fill_cache(session)
    sequences = len(session.positions)
    rows = [(sequence, 1) for sequence in range(sequences)]
    return Measurement(_answered(workload, session, "decode", context - 1, rows), sequences,
                       _weight_streams(session, sequences), session.program.head, sequences,
                       _head_passes(session, sequences))


def measure_prefill(workload: Workload, session: Session, context: int, prompt_tokens: int) -> Measurement:
    """A prompt that ends at position `context` - 1, to the first new token.

    Passes of the device's rows, the last of them with the head after its last row; of many others the first, the middle
    and the last are simulated, and cycles between them taken as linear in the position.
    """
    _check_room(session, context)
    if not 1 <= prompt_tokens <= context:
        raise OptionError(f"prompt tokens must be 1 to the context's {context}, got {prompt_tokens}")
    fill_cache(session)
    total, first = Counts(), context - prompt_tokens
    *passes, last = chunks(first, prompt_tokens, session.rows)
    for index, weight in hat_weights(len(passes)).items():
        position, rows = passes[index]
        total += _layers(workload, session, position, [(0, rows)])[1] * weight
    position, rows = last
    return Measurement(total + _answered(workload, session, "next", position, [(0, rows)]), prompt_tokens,
                       sum(_weight_streams(session, rows) for _, rows in (*passes, last)), session.program.head, 1, 1)


def chunks(first: int, tokens: int, rows: int) -> list[tuple[int, int]]:
    """(position, rows) of the passes that take `tokens` from position `first` on, as `Session.prefill` does."""
    return [(first + start, min(rows, tokens - start)) for start in range(0, tokens, rows)]


def hat_weights(count: int) -> dict[int, float]:
    """Weights with which a few of `count` values, linear between them, add up to the sum of all."""
    chosen = sorted({round(at) for at in np.linspace(0, count - 1, min(count, _PASSES_SIMULATED))}) if count else []
    every = np.arange(count)
    return {int(index): float(np.interp(every, chosen, np.eye(len(chosen))[n]).sum())
            for n, index in enumerate(chosen)}


def _weight_streams(session: Session, rows: int) -> float:
    """How often a pass of so many rows streams the weights: once for each group, but for what two groups share."""
    build, config = session.device.build, session.model.config
    groups = _groups(session, rows)
    weights = {name: outputs * inputs for name, (outputs, inputs) in config.linear_shapes.items()}
    shared = weights["up"] / sum(weights.values()) if build.shares_up(config) else 0.0
    return groups - groups // 2 * shared


def _groups(session: Session, rows: int) -> int:
    return -(-rows // session.device.build.rows)


def _head_passes(session: Session, rows: int) -> int:
    """How often so many rows stream the head, or its ternary copy."""
    return _groups(session, rows) if session.program.head == "shortlist" else \
        -(-rows // session.device.build.head_rows)


def _answered(workload: Workload, session: Session, kind: str, position: int, rows: list[tuple[int, int]]) -> Counts:
    """A pass of the whole model with the head. rows: (sequence, rows) of its parts."""
    without, layers = _layers(workload, session, position, rows)
    count = _pass(session, kind, position, rows)
    head = session.device.timeline.counts() - without
    if session.program.head == "shortlist":
        return layers + head
    heads = 1 if kind == "next" else _head_passes(session, count)
    config, build = session.model.config, session.device.build
    stream = heads * head_beats(config.vocab_size, config.hidden_size, build) * build.beat_bytes
    rows_left_out = Counts(head.units["head"], stream, {"head": head.units["head"]}) * (workload.head_scale - 1)
    return layers + head + rows_left_out


def _layers(workload: Workload, session: Session, position: int, rows: list[tuple[int, int]]) -> tuple[Counts, Counts]:
    """A pass without a head: as simulated, and with all of the model's layers."""
    config = session.model.config
    count = _pass(session, "prefill", position, rows)
    timeline = session.device.timeline
    simulated, start = timeline.counts(), timeline.counts(0, timeline.first(Engine.VECTOR))
    loads = count * (4 * config.hidden_size + 2 * config.head_dim)  # residual and rotary vectors, once a pass
    start = Counts(start.cycles, loads, start.units)  # what else is read meanwhile is the first layer's
    return simulated, start + (simulated - start) * workload.layer_scale


def _pass(session: Session, kind: str, position: int, rows: list[tuple[int, int]]) -> int:
    """A pass at this position of all sequences; its rows."""
    session.positions = [position] * len(session.positions)
    return session.run_pass(kind, [(sequence, [0] * count) for sequence, count in rows])


def _check_room(session: Session, context: int) -> None:
    if not 1 <= context <= session.context:
        raise OptionError(f"the context must be 1 to the model's {session.context}, got {context}")
