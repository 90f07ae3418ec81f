"""The board's memory model against figures measured on a KV260, published by the bitnet-kv260 project.

The traffic of the reads: an AXI DMA a port, bursts of 64 beats, four under way, at 250 MHz; the processor starts one
after the other and polls for their ends (`sim.placements`). Only the placements' first half went into the fit.

*Placements*: transfers of 327,680 bytes a port, each port's start shifted against the others'; a random part of the
half that was held out.

*A token with stops*: bitnet-kv260 streams 2B-4T in runs, each one of a layer's matrix groups cut in contiguous
quarters, one a port; and its ternary head. The times are of its probe of 2026-09-26, of every port.

*Writes*: of the same project's earlier design, and of another project's board; traffic of `tests/sim/traffic_core.py`
behind the ports of the simulator.
"""

import numpy as np
import pytest

from scripts.experiments.fit_memory import agreement
from sim.ddr_parameters import DDR
from sim.ddr_streams import PortStream, end_cycles
from sim.placements import MEASUREMENT, Placements, halves, model_times
from tests.sim.traffic_core import PORTS, Traffic

CLOCK_MHZ, MB = 250, 1 << 20
RUNS = {  # address, bytes from one port's quarter to the next, bytes a port, the board's us of each port
    "q, k, v": (0, 491_520, 491_520, (124.7, 136.0, 136.2, 125.8)),
    "o": (1_966_080, 327_680, 327_680, (86.2, 111.1, 111.4, 87.2)),
    "gate, up": (3_276_800, 1_769_472, 884_736, (238.7, 301.4, 301.7, 239.8)),
    "down": (10_354_688, 890_880, 890_880, (227.0, 248.7, 249.0, 227.7)),
    "head": (0, 2_052_096, 2_052_096, (531.2, 610.4, 610.7, 532.5)),
}


@pytest.fixture(scope="module")
def traffic():
    traffic = Traffic(40)
    yield traffic
    assert traffic.core.protocol_errors() == []
    traffic.core.close()


def microseconds(cycles):
    return np.array(cycles) / CLOCK_MHZ


def quarters(address, apart):
    return [address + port * apart for port in range(PORTS)]


def dma(port, address, size):
    return PortStream(port=port, address=address, size=size, burst=1024, under_way=MEASUREMENT.bursts,
                      start=round((MEASUREMENT.first_ns + port * MEASUREMENT.gap_ns) * CLOCK_MHZ / 1e3))


def test_the_halves_are_halves():
    fitted, held_out = halves(512)
    assert fitted.size == held_out.size == 256 and set(fitted) | set(held_out) == set(range(512))


def test_placements_held_out():
    """The bars that all 256 meet, on a random 96: `python -m scripts.experiments.fit_memory`."""
    placements = Placements.measured()
    some = placements.chosen(np.random.default_rng(5).permutation(halves(512)[1])[:96])
    found = agreement(model_times(some.offsets, seeds=(1, 2)).max(1), some.microseconds)
    assert found.rms < 0.04 and abs(found.mean) < 0.01 and found.correlation > 0.85


@pytest.mark.parametrize("name", RUNS)
def test_a_token_with_stops(name):
    address, apart, size, measured = RUNS[name]
    ends = end_cycles([[dma(port, at, size) for port, at in enumerate(quarters(address, apart))]], seeds=(1, 2))
    model = microseconds(ends[0].mean(0)) - (3 * MEASUREMENT.gap_ns - MEASUREMENT.read_out_ns) / 1e3
    np.testing.assert_allclose(model, measured, rtol=0.05)
    assert abs(model.max() / max(measured) - 1) < 0.045


@pytest.mark.parametrize("ports, measured", [(1, 3.956), (2, 7.890), (3, 11.634)])
def test_fewer_ports(ports, measured):
    """4.4 MB in as many contiguous parts as there are ports: the controller's ceiling is not reached."""
    size = 4_423_680 // ports // 1024 * 1024
    cycles = end_cycles([[dma(port, port * size, size) for port in range(ports)]])[0, 0]
    assert ports * size / max(microseconds(cycles)) / 1e3 == pytest.approx(measured, rel=0.02)


def test_a_memory_held_to_a_rate_gives_it():
    """Also over its refreshes, for what it loses is made up for; a rate above its own changes little. The middle ports
    read half as much, for they share a turn of the arbiter's three."""
    streams = [PortStream(port=port, address=port << 14, size=size, piece=1 << 14, stride=1 << 16)
               for port, size in enumerate((MB, MB // 2, MB // 2, MB))]

    def rate(parameters):
        return 3 * MB / max(microseconds(end_cycles([streams], parameters)[0, 0])) / 1e3

    rates = {limit: rate(DDR.limited(limit)) for limit in (8.0, 10.0, 17.0)}
    own = rate(DDR)
    assert rates[8.0] == pytest.approx(8, rel=0.01) and rates[10.0] == pytest.approx(10, rel=0.015)
    assert rates[17.0] == pytest.approx(own, rel=0.02)


@pytest.mark.parametrize("bursts, piece", [(8, 256), (8, 1 << 14), (16, 1 << 14)])
def test_the_ports_of_the_simulator_are_those_of_the_streams(traffic, bursts, piece):
    """A core's ports take as long as the program without a core, but for the cycles that differ at the start."""
    size = MB // 2
    traffic.core.configure(memory="kv260", outstanding=bursts)
    core = traffic.run(quarters(0, piece), size, piece=piece, stride=PORTS * piece)
    streams = [PortStream(port=port, address=port * piece, size=size, piece=piece, stride=PORTS * piece,
                          under_way=bursts) for port in range(PORTS)]
    alone = end_cycles([streams], seeds=(1, 2, 3, 4))[0].max(1).mean()
    assert max(core) == pytest.approx(alone, rel=0.015)


def test_one_bank_a_port_is_faster_than_any_other_start():
    """Ports that keep to banks of their own need not stay in step."""
    def rate(start):
        streams = [PortStream(port=port, address=start + (port << 14), size=MB, piece=1 << 14, stride=1 << 16)
                   for port in range(PORTS)]
        return PORTS * MB / microseconds(end_cycles([streams], seeds=(1, 2, 3))[0].max(1).mean()) / 1e3

    aligned, others = rate(0), [rate(start << 10) for start in (4, 8, 12)]
    assert aligned > 1.005 * max(others)


def test_small_writes_turn_the_bus_around(traffic):
    """A sum of 4 bytes for every 640 read, in writes of 64 bytes and of 1 KB: 363 and 338 us for 4.4 MB."""
    def run(every, beats):
        return max(microseconds(traffic.run(quarters(0, 1_105_920), 1_105_920, writes=(32 * MB, MB, every, beats))))

    traffic.core.configure(memory="kv260", outstanding=16)
    none, long, short = run(0, 1), run(10_240, 16), run(640, 4)
    assert none < long < short
    assert short == pytest.approx(363, rel=0.08) and long == pytest.approx(338, rel=0.1)


@pytest.mark.parametrize("second, third, measured", [
    (0, 0, 184.9), (16, 32, 149.9), (32, 16, 149.0), (16, 48, 145.9)])
def test_two_streams_read_and_one_written(traffic, second, third, measured):
    """An elementwise sum of 512 KiB vectors, their banks shifted by so many KiB: another project's board, whose
    operands come through two controller ports as here, with 2 us for the call."""
    traffic.core.configure(memory="kv260", outstanding=16)
    run = traffic.run([0, 4 * MB + second * 1024, None, None], MB // 2,
                      writes=(16 * MB + third * 1024, 0, 16, 16), writers=[0])
    assert max(microseconds(run)) + 2 == pytest.approx(measured, rel=0.1)
