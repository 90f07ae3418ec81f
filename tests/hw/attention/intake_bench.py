"""Intake: what each beat of the cache is taken for, in its order, and that it waits for whoever it must."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import RisingEdge

from hw.attention.intake import key_event, value_beat
from hw.attention.jobs import JOB
from hw.attention.query_key_dot import key_beat
from hw.attention.slices import slicing
from models.machine.build import BuildParameters
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


class Followers:
    """The softmax and the sums behind: of random pace, up to `slowest` cycles for a step."""

    def __init__(self, dut, slowest: int, stall: float) -> None:
        self.dut, self.slowest, self.random = dut, slowest, generator(f"followers {slowest}")
        self.jobs = StreamSink(dut, "o", JOB, stall=stall)
        self.handed: list[dict] = []
        self.unread = 0  # tokens of the job handed over last that are not read; none: 0
        self.token = 0
        self.weights = 0  # jobs whose weights are complete
        self.places = 1  # for sums, given so far
        self.passes = 0  # whose sums have come
        for port in ("softmax_token", "softmax_read", "weights_ready", "sums_free"):
            getattr(dut, port).value = 0
        start_soon(self._softmax())
        start_soon(self._sums())

    async def _wait(self) -> None:
        for _ in range(1 + self.random.randint(0, self.slowest)):
            await RisingEdge(self.dut.clk)

    async def _pulse(self, port: str) -> None:
        getattr(self.dut, port).value = 1
        await RisingEdge(self.dut.clk)
        getattr(self.dut, port).value = 0

    async def _softmax(self) -> None:
        while True:
            job = await self.jobs.receive()
            self.handed.append(job)
            self.token, self.unread = 0, job["tokens"] + job["rows_last"]
            self.dut.softmax_token.value = 0
            while self.token < self.unread:
                await self._wait()
                self.token = min(self.token + 2, self.unread)
                self.dut.softmax_token.value = self.token
            await self._pulse("softmax_read")
            self.unread = 0
            await self._wait()
            self.weights += 1
            await self._pulse("weights_ready")

    async def _sums(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.passes == self.places:
                await self._wait()
                self.places += 1
                await self._pulse("sums_free")


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], slowest=[0, 6])
async def commands_in_turn(dut, stall, slowest):
    given = parameters()
    build = BuildParameters(**given["build"])
    size, parts = slicing(build).bits, slicing(build).parts
    jobs, beats = StreamSource(dut, "i", JOB, stall=stall), StreamSource(dut, "i_data", stall=stall)
    layouts = {"keys": key_beat(size, parts, given["chunks"]), "values": value_beat(build),
               "event": key_event(build.attention_pairs, build.context_max)}
    packings = {name: Packing.of(layout) for name, layout in layouts.items()}
    followers = Followers(dut, slowest, stall)
    await start(dut)
    cycle, due = 0, {}
    for n, command in enumerate(given["commands"]):
        dut.dim.value, dut.row_bytes.value = command["dim"], command["row_bytes"]
        for _ in range(3):
            await RisingEdge(dut.clk)
        followers.handed.clear()
        done_before = followers.weights
        jobs.send_nowait(*command["jobs"])
        beats.send_nowait(*(beat["data"] for beat in command["beats"]))
        taken = waited = 0
        while taken < len(command["beats"]):
            free_before, unread, token = followers.places, followers.unread, followers.token
            weights_before = followers.weights - done_before
            await RisingEdge(dut.clk)
            cycle += 1
            waited += 1
            assert waited < 3000, f"command {n}: beat {taken} of {len(command['beats'])} is not taken"
            for name, scale in due.pop(cycle, {}).items():
                assert int(getattr(dut, name).value) == scale, f"command {n}, before beat {taken}: {name}"
            if not (dut.i_data__valid.value and dut.i_data__ready.value):
                assert not (dut.keys_valid.value or dut.event_valid.value or dut.values_valid.value)
                continue
            beat, where, waited = command["beats"][taken], f"command {n}, beat {taken}", 0
            taken += 1
            for name in ("keys", "values"):
                assert bool(getattr(dut, f"{name}_valid").value) == (name in beat), f"{where}: {name}"
                if name in beat:
                    got = packings[name].unpack(int(getattr(dut, name).value))
                    expected = beat[name] | {"data": [beat["data"] >> size * part & (1 << size) - 1
                                                      for part in range(parts)]}
                    assert got == expected, f"{where}: {name} {got}, not {expected}"
            assert bool(dut.event_valid.value) == ("event" in beat), f"{where}: event"
            if "event" in beat:
                got = packings["event"].unpack(int(dut.event.value))
                got["counts"] &= beat["pairs"]
                assert got == beat["event"], f"{where}: event {got}, not {beat['event']}"
                assert not unread or got["token"] < token, f"{where}: token {got['token']} is not read"
                due[cycle + 2] = beat["scales"]
            if "values" in beat:
                assert weights_before > beat["job"], f"{where}: values before the weights"
                if beat["values"]["last"]:
                    followers.passes += 1
                    assert followers.passes <= free_before, f"{where}: no place for the sums"
        for _ in range(300):
            await RisingEdge(dut.clk)
            cycle += 1
            for name, scale in due.pop(cycle, {}).items():
                assert int(getattr(dut, name).value) == scale, f"command {n}, after its end: {name}"
        assert followers.handed == command["jobs"], f"command {n}: {followers.handed}"
