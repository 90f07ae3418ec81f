"""Descriptor lists of a program's passes, the rule that their semaphores keep, and the orders that queues allow."""

from collections import deque

import numpy as np

from host.compiler.program import Program
from host.compiler.streams_ahead import FETCH_LEAD
from models.machine.descriptor import DESCRIPTOR_BYTES, SEMAPHORES, Engine, Opcode, unpack

__all__ = ["assert_one_engine_takes_each", "assert_semaphores_hold", "assert_streams_lead", "listed", "listed_programs",
           "queue_order"]

QUEUE = 8


def listed(program: Program, kind: str, rows: int, *parts):
    """Descriptors of a pass that doesn't stop, in order, as written into a memory at 0x1000."""
    items, = listed_programs(program, kind, rows, *parts)
    return items


def listed_programs(program: Program, kind: str, rows: int, *parts):
    """The same of each program of a pass."""
    memory = np.zeros(program.size, np.uint8)
    program.write(memory, 0x1000)
    raw = [memory[item.offset:item.offset + item.count * DESCRIPTOR_BYTES].tobytes()
           for item in program.get_passes(kind, rows, *parts)]
    return [[unpack(part[i:i + DESCRIPTOR_BYTES]) for i in range(0, len(part), DESCRIPTOR_BYTES)] for part in raw]


def assert_semaphores_hold(descriptors) -> None:
    """Every wait was signalled before, and no counter overflows."""
    counters = [0] * SEMAPHORES
    for fields in descriptors:
        for bit in range(SEMAPHORES):
            if fields.wait >> bit & 1:
                assert counters[bit] > 0, (fields.opcode, bit)
                counters[bit] -= 1
        for bit in range(SEMAPHORES):
            counters[bit] += fields.signal >> bit & 1
            assert counters[bit] < 16


def assert_one_engine_takes_each(descriptors) -> None:
    """No semaphore is waited for by two engines."""
    takers: dict[int, set[int]] = {}
    for fields in descriptors:
        for bit in range(SEMAPHORES):
            if fields.wait >> bit & 1:
                takers.setdefault(bit, set()).add(fields.engine)
    assert all(len(engines) == 1 for engines in takers.values())


def assert_streams_lead(descriptors) -> None:
    """Every stream comes before its consumer, as far ahead as is meant and by less than a queue."""
    ahead = most = 0
    for item in descriptors:
        if item.opcode == Opcode.STREAM:
            ahead += 1
            most = max(most, ahead)
        elif item.opcode in (Opcode.MATMUL, Opcode.LOGITS):
            ahead -= 1
            assert ahead >= 0
    assert ahead == 0 and most == FETCH_LEAD + 1 <= QUEUE


def queue_order(descriptors, rng: np.random.Generator) -> list[int]:
    """An order in which engines may run the descriptors, each its own in list order, drawn among those that can go on.

    The sequencer fills queues in list order and waits where one is full; behind the ports there is no space at all: a
    stream, once begun, ends when its consumer takes it. Fails where none can go on.
    """
    queues = {engine: deque() for engine in Engine}
    counters, order, next_one, streams = [0] * SEMAPHORES, [], 0, False  # whether a stream has begun

    def may_start(index):
        wait = descriptors[index].wait
        return all(counters[bit] for bit in range(SEMAPHORES) if wait >> bit & 1)

    def run(index):
        fields = descriptors[index]
        for bit in range(SEMAPHORES):
            counters[bit] += (fields.signal >> bit & 1) - (fields.wait >> bit & 1)
            assert counters[bit] < 16
        order.append(index)

    while len(order) < len(descriptors):
        while next_one < len(descriptors):
            queue = queues[Engine(descriptors[next_one].engine)]
            if len(queue) == QUEUE:
                break
            queue.append(next_one)
            next_one += 1
        ready = []
        for engine, queue in queues.items():
            if queue and may_start(queue[0]):
                consumes = descriptors[queue[0]].opcode in (Opcode.MATMUL, Opcode.LOGITS)
                if (not streams) if engine == Engine.FETCH else streams or not consumes:
                    ready.append(engine)
        assert ready, f"no engine can go on: {[descriptors[queue[0]] for queue in queues.values() if queue]}"
        engine = ready[rng.integers(len(ready))]
        run(queues[engine][0])
        if engine == Engine.FETCH:
            streams = True
            continue
        if descriptors[queues[engine].popleft()].opcode in (Opcode.MATMUL, Opcode.LOGITS):
            assert descriptors[queues[Engine.FETCH].popleft()].head == (engine == Engine.HEAD)
            streams = False
    return order
