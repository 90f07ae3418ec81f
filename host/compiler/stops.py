"""The descriptors of a stop: rows leave for memory, and what the host made of them comes back."""

from __future__ import annotations

from collections.abc import Iterable

from host.compiler.descriptor_list import Semaphore
from host.compiler.memory_map import padded_row_bytes
from host.compiler.pass_context import PassContext
from host.compiler.rows import Group
from host.compiler.turns import Step
from models.config import ModelConfig
from models.machine.descriptor import STEP_BYTES, LoadTarget, Opcode, StoreSource

__all__ = ["StopSteps", "input_channels"]


def input_channels(config: ModelConfig, step: Step) -> int:
    """Channels of the input of a step's matrices; of Step.END, of the head's."""
    return {Step.OUT: config.heads * config.head_dim, Step.DOWN: config.ffn_size}.get(step, config.hidden_size)


class StopSteps:
    """Lists the STOREs of a stop's front and the LOADs of its back. Regions are `host.compiler.memory_map`'s.

    A row of a group lies at its number in the pass; `up`'s sums behind those of `gate` of all rows of a program.
    """

    def __init__(self, context: PassContext):
        self._config, self._memory = context.config, context.memory
        self._list, self._address, self._build = context.list, context.address, context.build

    def store(self, step: Step, group: Group, *, gate: int = 0, up: int = 0) -> None:
        """What a step begins with. gate, up: accumulator words of their sums."""
        config = self._config
        if step == Step.OUT:
            for block in group.blocks:
                self._store(StoreSource.ATTENTION, block.first_row, block.rows, input_channels(config, step),
                            wait=(Semaphore.ATTENTION_READY,),
                            group_channels=config.heads // config.kv_heads * config.head_dim)
        elif step == Step.DOWN:
            rows, behind = (group.first_row, group.rows, config.ffn_size), self._memory.stop_rows * config.ffn_size * 4
            self._store(StoreSource.SUMS, *rows, wait=(Semaphore.SUMS_READY,), accumulator=gate)
            self._store(StoreSource.SUMS, *rows, accumulator=up, behind=behind)
        else:
            self._store(StoreSource.RESIDUAL, group.first_row, group.rows, config.hidden_size)

    def _store(self, source: StoreSource, first_row: int, rows: int, count: int, *, wait: tuple[Semaphore, ...] = (),
               accumulator: int = 0, group_channels: int = 0, behind: int = 0) -> None:
        self._list.add(Opcode.STORE, wait=wait, first_row=first_row, rows=rows, count=count, source=source,
                       accumulator=accumulator, group_channels=group_channels,
                       address=self._address("stop.rows") + behind + first_row * count * 4,
                       steps=self._address("stop.steps") + first_row * STEP_BYTES)

    def load_inputs(self, first_row: int, rows: int, channels: int) -> None:
        """Rows of the input of a step's matrices, with their steps."""
        self._load_steps(first_row, rows)
        self._load_rows("stop.inputs", LoadTarget.INPUT, first_row, range(first_row, first_row + rows), channels,
                        Semaphore.ACTIVATIONS_READY)

    def load_head_inputs(self, first_row: int, rows: int, *, wait: Iterable[Semaphore]) -> None:
        """Rows of the head's input, with their steps; of a LOGITS, they are rows 0, 1, ..."""
        self._load_steps(first_row, rows, wait=wait)
        self._load_rows("stop.head_inputs", LoadTarget.HEAD_INPUT, first_row, range(rows), self._config.hidden_size,
                        Semaphore.HEAD_READY)

    def _load_steps(self, first_row: int, rows: int, *, wait: Iterable[Semaphore] = ()) -> None:
        self._list.add(Opcode.LOAD, wait=wait, target=LoadTarget.STEP, address_stride=0, offset=0, sequence=0,
                       address=self._address("stop.input_steps") + first_row * STEP_BYTES, bytes=rows * STEP_BYTES,
                       row=first_row)

    def _load_rows(self, region: str, target: LoadTarget, first_row: int, places: range, channels: int,
                   ready: Semaphore) -> None:
        for n, place in enumerate(places):
            self._list.add(Opcode.LOAD, signal=(ready,) if n == len(places) - 1 else (), target=target,
                           address=self._address(region) + (first_row + n) * padded_row_bytes(channels),
                           address_stride=0, bytes=channels * 2, offset=0, sequence=0, row=place)
