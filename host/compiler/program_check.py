"""What a list of descriptors may not be, whoever wrote it: checked before a device is given it.

By docs/program.md alone, so that what the compiler lists, what the fabric refuses and this agree by no common mistake.
All descriptors of an operation are checked at once, in NumPy; `host/compiler/rules` has what each may be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from host.compiler.rules.cache import attend, cached, heads
from host.compiler.rules.listed_pass import ListedPass
from host.compiler.rules.operation import Operation
from host.compiler.rules.streams import logits, match_streams, matmul, stream
from host.compiler.rules.vector import load, norm, residual, select, store
from models.machine.build import BuildParameters
from models.machine.descriptor import SEMAPHORES, Opcode

__all__ = ["check_program"]

_RULES: dict[Opcode, Callable[[Operation], None]] = {
    Opcode.STREAM: stream, Opcode.LOAD: load, Opcode.MATMUL: matmul, Opcode.NORM: norm, Opcode.QUERY: heads,
    Opcode.KEY: cached, Opcode.VALUE: cached, Opcode.RESIDUAL: residual, Opcode.ATTEND: attend,
    Opcode.LOGITS: logits, Opcode.SELECT: select, Opcode.STORE: store}


def check_program(raw: bytes | np.ndarray, build: BuildParameters, *, base: int, size: int, context: int,
                  sequences: int = 1) -> None:
    """`DeviceError`, with the descriptor's number and operation, where one of a pass is not what it may be.

    raw: the descriptors of all programs of a pass, one after another. base, size: the buffer, outside which nothing
    may lie at any positions of the `sequences` sequences that leave the pass within `context` tokens.
    """
    listed = ListedPass(raw, build, base, size, context, sequences)
    for opcode in listed.chosen:
        operation = Operation(listed, opcode)
        if "rows" in operation.fields:
            operation.rows()
        if "sequence" in operation.fields:
            operation.sequence()
        _RULES[opcode](operation)
    _semaphores(listed)
    match_streams(listed)
    listed.refuse_noted()


def _semaphores(listed: ListedPass) -> None:
    """Each is given before it is taken, in list order."""
    bits = np.arange(SEMAPHORES)
    waits, gives = (listed.header[name][:, None] >> bits & 1 for name in ("wait", "signal"))
    left = np.cumsum(gives, axis=0) - gives - np.cumsum(waits, axis=0)
    for index, semaphore in np.argwhere(left < 0)[:1]:
        listed.note(index, f"it waits for semaphore {semaphore}, given by no one")
