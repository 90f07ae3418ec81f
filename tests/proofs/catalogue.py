"""All proofs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.proofs import (
    axi_read_master,
    axi_write_master,
    link_access,
    port_narrower,
    queues,
    registers,
    run_control,
    semaphores,
    stripe_walk,
)
from tests.proofs.claims import Proof

__all__ = ["PROOFS"]

_MODULES = (axi_read_master, axi_write_master, link_access, port_narrower, registers, run_control, semaphores,
            stripe_walk, queues)


def _all() -> Iterator[Proof]:
    for module in _MODULES:
        yield from module.PROOFS


PROOFS: tuple[Proof, ...] = tuple(_all())
"""Of single units; stream stages are found in the core (`tests.proofs.stages`)."""
