"""The module around a unit: the same ports, names that are keywords too, and no signal of the unit for all to see."""

from __future__ import annotations

import pytest

from hw.stream.queue import Queue
from sim.enclosure import Port, enclose, ports_of
from sim.runner import build_bench, emit_verilog


@pytest.fixture(scope="module")
def verilog():
    return emit_verilog(Queue(5, depth=4))


def test_the_ports_stay(verilog):
    ports = ports_of(verilog)
    assert Port("input", "[4:0] ", "i__payload") in ports and Port("output", "", "i__ready") in ports
    assert ports_of(enclose(verilog)) == ports == ports_of(enclose(verilog, inverted="o__valid"))


def test_a_simulator_shows_the_ports_alone(verilog):
    shown = [line for line in (build_bench(enclose(verilog)).parent / "Vtop__Syms__Slow.cpp").read_text().splitlines()
             if "varInsert" in line]
    assert {line.partition('"')[2].partition('"')[0] for line in shown} == {port.name for port in ports_of(verilog)}


def test_there_must_be_such_an_output(verilog):
    with pytest.raises(ValueError, match="^module top has no output i__valid$"):
        enclose(verilog, inverted="i__valid")
