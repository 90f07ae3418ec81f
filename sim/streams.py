"""Cocotb ends of Amaranth's streams: sources and sinks that stall at random and hold the protocol to its word.

`amaranth.lib.stream`'s rule: a transfer happens on a clock edge where ``valid`` and ``ready`` are both high;
once high, ``valid`` and its payload hold until the transfer; ``valid`` never waits for ``ready``. A port that is
always ready (no ``ready`` in Verilog) moves in every cycle of ``valid``. Each end costs one Python call a cycle,
until it is stopped or the test ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cocotb.handle import SimHandleBase
from cocotb.triggers import Event

from sim.edges import Steps, steps_of
from sim.packing import Packing
from sim.testbench import generator

if TYPE_CHECKING:
    from amaranth.hdl import ShapeLike

__all__ = ["ProtocolError", "StreamSink", "StreamSource", "StreamTimeout"]

PATIENCE = 20_000


class ProtocolError(AssertionError):
    """The design broke the stream rule."""


class StreamTimeout(AssertionError):
    """Somebody waits for transfers and none has come for ``patience`` cycles."""


class _StreamEnd:
    """Handles of the port ``name``, its packing, its stalls and its own random generator.

    ``layout`` is the payload's shape (default: unsigned, of the port's width). ``stall`` is the probability that
    a cycle is a stall and may be changed at any time: 0 never stalls, 1 blocks. ``salt`` gives other random numbers
    than the port's name alone. ``report`` is told what breaks the rule or takes too long, after which the end does
    no more; without it, that fails the test.
    """

    def __init__(
        self,
        dut: SimHandleBase,
        name: str,
        layout: ShapeLike | None = None,
        *,
        stall: float = 0.0,
        patience: int = PATIENCE,
        salt: str = "",
        report: Callable[[AssertionError], None] | None = None,
    ) -> None:
        self.name, self.stall, self.patience = name, stall, patience
        self._payload = getattr(dut, f"{name}__payload", None)  # absent where the payload has no bits
        self._valid = getattr(dut, f"{name}__valid")
        self._ready = getattr(dut, f"{name}__ready", None)  # absent where the port is always ready
        self._reset, self._steps = getattr(dut, "rst", None), steps_of(dut.clk)
        width = 0 if self._payload is None else len(self._payload)
        self._packing = Packing.integer(width) if layout is None else Packing.of(layout)
        if self._packing.width != width:
            raise ValueError(f"{name}: the layout has {self._packing.width} bits, the port {width}")
        self._random, self._report = generator(name + salt), report

    def _begin(self) -> None:
        self._idle()
        self._running = self._run()
        self._steps.join(self._running)

    def stop(self) -> None:
        """End for good, with the port idle at once: in reset, since a transfer may wait. What a sink has received can
        still be had."""
        self._steps.leave(self._running)
        self._running.close()
        self._idle()

    def _idle(self) -> None:
        raise NotImplementedError

    def _move(self) -> Steps:
        raise NotImplementedError

    def _run(self) -> Steps:
        try:
            while self._reset is not None and self._reset.value:
                yield
            yield from self._move()
        except AssertionError as error:
            if self._report is None:
                raise
            self._report(error)

    def _stalls(self) -> bool:
        return self.stall > 0 and self._random.random() < self.stall


class StreamSource(_StreamEnd):
    """Drives an input stream of the design from a queue, in order. While ``valid`` is low the payload is noise."""

    def __init__(self, dut: SimHandleBase, name: str, layout: ShapeLike | None = None, **options: Any) -> None:
        super().__init__(dut, name, layout, **options)
        self._queue: deque[int] = deque()
        self._emptied, self._asleep = Event(), False
        self._begin()

    def send_nowait(self, *values: Any) -> None:
        """Queue values; they go out one a cycle, stalls aside."""
        if values:
            self._queue.extend(map(self._packing.pack, values))
            self._emptied.clear()
            if self._asleep:
                self._asleep = False
                next(self._running)  # the first is to be seen from now on
                self._steps.join(self._running)

    async def send(self, values: Iterable[Any]) -> None:
        """Queue all values and return on the edge where the last one has gone."""
        self.send_nowait(*values)
        await self.drain()

    async def drain(self) -> None:
        """Return once everything queued has been transferred."""
        if self._queue:
            await self._emptied.wait()

    def _idle(self) -> None:
        self._valid.value = 0
        if self._payload is not None:
            self._payload.value = self._random.getrandbits(self._packing.width)

    def _move(self) -> Steps:
        valid, ready, payload, queue = self._valid, self._ready, self._payload, self._queue
        shown = False
        while True:
            if not queue:
                self._emptied.set()
                self._idle()
                shown, self._asleep = False, True
                self._steps.leave(self._running)
                yield
            if self._stalls():
                self._idle()
                shown = False
                yield
                while self._stalls():
                    yield
            if not shown:
                valid.value = shown = True
            if payload is not None:
                payload.value = queue[0]
            yield
            waited = 0
            while ready is not None and not ready.value:
                waited += 1
                if waited > self.patience:
                    raise StreamTimeout(f"{self.name}: ready has been low for {self.patience} cycles")
                yield
            queue.popleft()


class StreamSink(_StreamEnd):
    """Takes everything an output stream of the design gives and checks the protocol at every cycle.

    A design whose ``valid`` waits for ``ready`` stands still: before the first transfer, and with stalls before
    some later ones too, ``ready`` stays low until ``valid`` has been seen. ``always_ready``: for a port whose user
    promises that.
    """

    def __init__(self, dut: SimHandleBase, name: str, layout: ShapeLike | None = None, *, always_ready: bool = False,
                 **options: Any) -> None:
        super().__init__(dut, name, layout, **options)
        self._free = always_ready or self._ready is None
        self.cycles: list[int] = []  # of each transfer so far, counted from the end of reset
        self._received: deque[Any] = deque()
        self._arrived = Event()
        self._wanted = False
        self._begin()

    def receive_nowait(self) -> list[Any]:
        """What has come and was not yet received."""
        values = list(self._received)
        self._received.clear()
        return values

    async def receive(self, count: int | None = None) -> Any:
        """The next value, or the list of the next ``count``; StreamTimeout where none comes for too long."""
        needed = 1 if count is None else count
        while len(self._received) < needed:
            self._wanted = True
            self._arrived.clear()
            await self._arrived.wait()
        self._wanted = False
        values = [self._received.popleft() for _ in range(needed)]
        return values[0] if count is None else values

    async def receive_packet(self) -> list[Any]:
        """The values up to and with the next one whose field ``last`` is set."""
        values = [await self.receive()]
        while not values[-1]["last"]:
            values.append(await self.receive())
        return values

    def _idle(self) -> None:
        if self._ready is not None:
            self._ready.value = int(self._free)

    def _move(self) -> Steps:
        valid, payload, unpack = self._valid, self._payload, self._packing.unpack
        free = self._free
        ready, patient, held, quiet, cycle = free, True, None, 0, 0
        while True:
            yield
            cycle += 1
            if valid.value:
                bits = 0 if payload is None else int(payload.value)
                if held is not None and bits != held:
                    raise ProtocolError(f"{self.name}: payload {held:#x} became {bits:#x} before its transfer")
                held, quiet = bits, 0
                if ready:
                    self._received.append(unpack(bits))
                    self.cycles.append(cycle)
                    self._arrived.set()
                    held = None
                    patient = self.stall > 0 and self._random.random() < 0.25
                else:
                    patient = False
            else:
                if held is not None:
                    raise ProtocolError(f"{self.name}: valid fell before the transfer of {held:#x}")
                quiet += 1
                if quiet > self.patience and self._wanted:
                    waiting = " (ready low)" if patient else ""
                    raise StreamTimeout(f"{self.name}: no valid for {self.patience} cycles{waiting}")
            wish = free or not patient and not self._stalls()
            if wish != ready:
                self._ready.value = ready = wish
