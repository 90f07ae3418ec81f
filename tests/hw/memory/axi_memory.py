"""An AXI4 memory for benches: random stalls, latencies, order and errors, and a strict check of the master."""

from __future__ import annotations

import hashlib
from collections import deque

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from hw.memory.axi import INCREMENT, SIZE_16_BYTES, Response
from models.machine.build import BURST_BEATS, PORT_BYTES
from sim.testbench import generator

__all__ = ["AxiMemory", "Contents"]

_PAYLOADS = {
    "ar": ("arid", "araddr", "arlen", "arsize", "arburst"),
    "aw": ("awid", "awaddr", "awlen", "awsize", "awburst"),
    "w": ("wdata", "wstrb", "wlast"),
}


class Contents:
    """Memory of 16-byte beats by address: noise that is a function of the address until it is written.

    `refused` holds the addresses of beats that answer reads and writes with SLVERR, `undecoded` with DECERR.
    """

    def __init__(self) -> None:
        self._written: dict[int, int] = {}
        self.refused: set[int] = set()
        self.undecoded: set[int] = set()

    def beat(self, address: int) -> int:
        """The beat at a multiple of 16."""
        if address not in self._written:
            noise = hashlib.blake2b(address.to_bytes(8, "little"), digest_size=PORT_BYTES)
            return int.from_bytes(noise.digest(), "little")
        return self._written[address]

    def response(self, address: int) -> Response:
        """Of an access to the beat."""
        return (Response.SLVERR if address in self.refused else
                Response.DECERR if address in self.undecoded else Response.OKAY)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes from a multiple of 16."""
        beats = (self.beat(a) for a in range(address, address + size, PORT_BYTES))
        return b"".join(b.to_bytes(PORT_BYTES, "little") for b in beats)[:size]

    def write(self, address: int, data: bytes) -> None:
        """Whole beats at a multiple of 16."""
        for i in range(0, len(data), PORT_BYTES):
            self._written[address + i] = int.from_bytes(data[i:i + PORT_BYTES], "little")

    def store(self, address: int, data: int, strobe: int) -> None:
        """One beat, its bytes chosen by `strobe`."""
        mask = sum(255 << 8 * i for i in range(PORT_BYTES) if strobe >> i & 1)
        self._written[address] = self.beat(address) & ~mask | data & mask


class AxiMemory:
    """Answers the master at `prefix` ("axi__0" for ports `axi__0__araddr` and so on), which may only read or write.

    `stall`: probability that a channel rests in a cycle. `latency`: fewest and most cycles from an address to
    its first beat and from a write to its response. Beats of different IDs interleave and overtake each
    other at random; one ID is answered in order. `dead`: answer nothing, accept nothing. It is not reset with the
    master: what was asked before is answered, what was only offered is forgotten.

    Raises AssertionError for a payload that changes or a valid that falls before its transfer, a burst of another
    size than 1 to 16 full incrementing beats, one across 4 KiB, an unaligned address, more than
    `outstanding` reads or writes of an ID, a `wlast` elsewhere than at a burst's last beat, or a low `rready` or
    `bready`.
    """

    def __init__(self, dut: SimHandleBase, prefix: str, contents: Contents, *, stall: float = 0.0,
                 latency: tuple[int, int] = (4, 4), outstanding: int = 16) -> None:
        self._dut, self._prefix, self.contents = dut, prefix, contents
        self.stall, self.latency, self.outstanding, self.dead = stall, latency, outstanding, False
        self._random = generator(prefix)
        self.bursts: list[tuple[int, int, int]] = []  # of all reads: ID, address, beats
        self.write_bursts: list[tuple[int, int, int]] = []
        self.read_most = 0  # bursts under way at once
        self._reads: dict[int, deque] = {}  # by ID: [ready cycle, addresses of beats]
        self._addresses: deque = deque()
        self._data: deque = deque()
        self._responses: dict[int, deque] = {}  # by ID: [ready cycle, response]
        self._held: dict[str, tuple] = {}
        self._cycle = 0
        self._reading, self._writing = (hasattr(dut, f"{prefix}__{name}") for name in ("arvalid", "awvalid"))
        inputs = ["arready", "rvalid", "rid", "rdata", "rresp", "rlast"] * self._reading
        inputs += ["awready", "wready", "bvalid", "bid", "bresp"] * self._writing
        for name in inputs:
            self._port(name).value = 0
        start_soon(self._serve())

    def _port(self, name: str):
        return getattr(self._dut, f"{self._prefix}__{name}")

    def _get(self, name: str) -> int:
        return int(self._port(name).value)

    async def _serve(self) -> None:
        edge = RisingEdge(self._dut.clk)
        await edge
        while self._dut.rst.value:
            await edge
        ready = dict.fromkeys(["ar"] * self._reading + ["aw", "w"] * self._writing, False)
        shown = dict.fromkeys(["r"] * self._reading + ["b"] * self._writing)
        answers = {"r": self._next_read, "b": self._next_response}
        while True:
            await edge
            self._cycle += 1
            for channel in ready:
                payload = self._observe(channel, ready[channel])
                if payload is not None:
                    getattr(self, f"_accept_{channel}")(*payload)
                ready[channel] = not self._rests()
                self._port(f"{channel}ready").value = ready[channel]
            self._join_writes()
            for channel in shown:
                if shown[channel] and not self._get(f"{channel}ready"):
                    raise AssertionError(f"{self._prefix}: {channel}ready is low")
                shown[channel] = None if self._rests() else answers[channel]()
                self._port(f"{channel}valid").value = shown[channel] is not None
                for name, value in (shown[channel] or {}).items():
                    self._port(name).value = value

    @property
    def left(self) -> int:
        """Bursts that are to be answered yet."""
        return sum(map(len, self._reads.values())) + sum(map(len, self._responses.values()))

    @property
    def write_settled(self) -> bool:
        """Whether no burst of writes has only come in part."""
        return not self._addresses and not self._data

    def _rests(self) -> bool:
        return self.dead or self._random.random() < self.stall

    def _observe(self, channel: str, ready: bool) -> tuple | None:
        """The payload transferred in this cycle; checks that valid and payload hold until then."""
        valid = self._get(f"{channel}valid")
        payload = tuple(self._get(name) for name in _PAYLOADS[channel]) if valid else None
        held = self._held.pop(channel, None)
        if self._dut.rst.value:
            held = None
        if held is not None and payload != held:
            raise AssertionError(f"{self._prefix}: {channel} payload {held} became {payload} before its transfer")
        if valid and not ready:
            self._held[channel] = payload
        return payload if ready else None

    def _check_burst(self, kind: str, address: int, length: int, size: int, burst: int) -> None:
        last = address + length * PORT_BYTES
        if size != SIZE_16_BYTES or burst != INCREMENT or length >= BURST_BEATS or address % PORT_BYTES:
            raise AssertionError(f"{self._prefix}: {kind} {address:#x} length {length} size {size} burst {burst}")
        if address >> 12 != last >> 12:
            raise AssertionError(f"{self._prefix}: {kind} from {address:#x} to {last:#x} crosses 4 KiB")

    def _due(self) -> int:
        return self._cycle + self._random.randint(*self.latency)

    def _accept_ar(self, identity: int, address: int, length: int, size: int, burst: int) -> None:
        self._check_burst("read", address, length, size, burst)
        beats = deque(range(address, address + (length + 1) * PORT_BYTES, PORT_BYTES))
        self._reads.setdefault(identity, deque()).append((self._due(), beats))
        self.bursts.append((identity, address, length + 1))
        under_way = sum(map(len, self._reads.values()))
        self.read_most = max(self.read_most, under_way)
        if under_way > self.outstanding:
            raise AssertionError(f"{self._prefix}: {under_way} reads under way")

    def _next_read(self) -> dict[str, int] | None:
        due = [i for i, bursts in self._reads.items() if bursts and bursts[0][0] <= self._cycle]
        if not due:
            return None
        identity = self._random.choice(due)
        beats = self._reads[identity][0][1]
        address = beats.popleft()
        if not beats:
            self._reads[identity].popleft()
        return {"rid": identity, "rdata": self.contents.beat(address), "rresp": self.contents.response(address),
                "rlast": not beats}

    def _accept_aw(self, identity: int, address: int, length: int, size: int, burst: int) -> None:
        self._check_burst("write", address, length, size, burst)
        self._addresses.append((identity, address, length + 1))
        self.write_bursts.append((identity, address, length + 1))

    def _accept_w(self, data: int, strobe: int, last: int) -> None:
        self._data.append((data, strobe, last))

    def _join_writes(self) -> None:
        while self._addresses and len(self._data) >= self._addresses[0][2]:
            identity, address, count = self._addresses.popleft()
            beats = [self._data.popleft() for _ in range(count)]
            if [last for *_, last in beats] != [0] * (count - 1) + [1]:
                raise AssertionError(f"{self._prefix}: wlast of a burst of {count} is {[last for *_, last in beats]}")
            responses = self._responses.setdefault(identity, deque())
            responses.append((self._due(), address, [(data, strobe) for data, strobe, _ in beats]))
            if len(responses) > self.outstanding:
                raise AssertionError(f"{self._prefix}: {len(responses)} writes of ID {identity} under way")

    def _next_response(self) -> dict[str, int] | None:
        """The response of a write, whose data becomes visible only now."""
        due = [i for i, writes in self._responses.items() if writes and writes[0][0] <= self._cycle]
        if not due:
            return None
        identity = self._random.choice(due)
        _, start, beats = self._responses[identity].popleft()
        answer = Response.OKAY
        for n, (data, strobe) in enumerate(beats):
            address = start + n * PORT_BYTES
            answer = max(answer, self.contents.response(address))
            if not self.contents.response(address):
                self.contents.store(address, data, strobe)
        return {"bid": identity, "bresp": answer}
