"""A serial line for benches: bytes to `rx` bit by bit, and bytes from `tx`."""

from __future__ import annotations

from collections.abc import Collection

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.triggers import Event, FallingEdge, Timer, with_timeout

from sim.testbench import CLOCK_STEPS
from tests.hw.link.frames import Answer, bodies, framed

__all__ = ["Line"]


class Line:
    """The host's end. bit_cycles: of the design's line. AssertionError for a byte from it without stop bit."""

    def __init__(self, dut: SimHandleBase, bit_cycles: float) -> None:
        self._dut, self._steps = dut, bit_cycles * CLOCK_STEPS
        self.received, self._came = bytearray(), Event()
        self._taken = 0  # frames
        dut.rx.value = 1
        self._task = start_soon(self._listen())

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()

    async def send(self, data: bytes, *, rate: float = 1.0, broken: Collection[int] = ()) -> None:
        """Bytes without a pause. rate: of the sender, to the line's. broken: places of bytes without a stop bit."""
        at = 0.0
        for place, byte in enumerate(data):
            bits = byte << 1 | (0 if place in broken else 1) << 9
            length = 11 if place in broken else 10  # a low stop bit, and high again for the next start bit
            before = 1
            for n in range(length):
                bit = 1 if n == 10 else bits >> n & 1
                if bit != before:
                    self._dut.rx.value = before = bit
                after = at + self._steps / rate
                await Timer(int(after) - int(at), "step")
                at = after
            self._dut.rx.value = 1

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self._dut.tx)
            byte, at = 0, 0.0
            for n in range(10):
                after = self._steps * (n + 0.5)
                await Timer(int(after) - int(at), "step")
                at = after
                bit = int(self._dut.tx.value)
                assert n not in (0, 9) or bit == (n == 9), "a byte without start or stop bit"
                byte |= bit << n
            self.received.append(byte >> 1 & 255)
            self._came.set()

    async def answers(self, count: int, *, cycles: int = 100_000) -> list[Answer]:
        """The next answers, once there are so many. cycles: the longest that they may take."""
        async def wait() -> None:
            while len(bodies(bytes(self.received))) < self._taken + count:
                self._came.clear()
                await self._came.wait()

        await with_timeout(start_soon(wait()), cycles * CLOCK_STEPS, "step")
        found = bodies(bytes(self.received))
        assert None not in found
        new = found[self._taken:self._taken + count]
        self._taken += count
        return [Answer.of(body) for body in new]

    def more(self) -> list[Answer]:
        """What else has come."""
        found = bodies(bytes(self.received))[self._taken:]
        self._taken += len(found)
        return [Answer.of(body) for body in found]

    async def ask(self, *requests: bytes, cycles: int = 100_000) -> list[Answer]:
        """The answers to requests, sent one after another without waiting."""
        await self.send(b"".join(map(framed, requests)))
        return await self.answers(len(requests), cycles=cycles)
