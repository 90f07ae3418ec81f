"""Loads of known nets: who drives them, what for, and which names they get."""

import pytest

from hw.synthesis.fan_out import Driver, FanOut, Pin
from tests.hw.synthesis.netlists import carry4, lut, netlist, register


@pytest.fixture
def fan_out(tmp_path):
    return lambda *arguments, **ports: FanOut(netlist(tmp_path, *arguments, **ports))


def test_each_pin_is_a_load_of_its_kind(fan_out):
    cells = [register("in", "a"), register("x", "b", CE="a"), register("a", "c", R="a"), lut("a a y", "d"),
             carry4("a x y z", "e f g h", di="a 0 0 0"),
             ("RAM64M8", {"ADDRA": "a x", "ADDRH": "a", "DIA": "a", "WE": "a", "WCLK": "clk", "DOA": "i"}),
             ("RAM64X1D", {"A0": "a", "DPRA1": "a", "D": "x", "WCLK": "a", "DPO": "j"}),
             ("DSP48E2", {"A": "a x", "CEP": "a", "RSTP": "a", "CLK": "clk", "P": "k"}),
             ("URAM288", {"ADDR_A": "a", "DIN_A": "a", "EN_A": "a", "RDB_WR_A": "a", "CLK": "clk", "DOUT_A": "l"}),
             ("RAMB18E2", {"ADDRARDADDR": "a", "ENARDEN": "a", "WEBWE": "a", "RSTRAMB": "a", "DINADIN": "a",
                           "CLKARDCLK": "clk", "DOUTADOUT": "m"})]
    found = fan_out(cells, inputs="in x y z clk")
    (net,) = found.nets(Driver.REGISTER, 1)
    assert (net.name, net.cell, net.driver) == ("a", "FDRE", Driver.REGISTER)
    assert net.pins == {Pin.ENABLE: 1 + 1 + 1 + 2 + 2, Pin.RESET: 1 + 1 + 1, Pin.LOGIC: 2 + 2,
                        Pin.ADDRESS: 2 + 2 + 1 + 1, Pin.DATA: 1 + 1 + 1 + 1 + 1}
    assert net.loads == found.worst(Driver.REGISTER) == 25
    assert net.to_json() == {"name": "a", "driver": "register", "loads": 25, "pins": {
        "enable": 7, "reset": 3, "logic": 4, "address": 6, "data": 5}}


def test_a_clock_is_no_load(fan_out):
    found = fan_out([register("a", "b"), register("b", "c")], inputs="a clk")
    assert [net.name for net in found.nets(Driver.OTHER, 9)] == ["a"]


def test_drivers_are_luts_registers_and_others(fan_out):
    cells = [lut("a b", "x"), *(register("x", f"q{n}") for n in range(5)),
             ("MUXF7", {"I0": "x", "I1": "x", "S": "a", "O": "m"}), *(register("m", f"r{n}") for n in range(4)),
             *(lut("q0 b", f"y{n}") for n in range(3)), ("URAM288", {"DOUT_A": "u", "CLK": "clk"}),
             *(register("u", f"s{n}") for n in range(6))]
    found = fan_out(cells, inputs="a b clk")
    assert [found.worst(driver) for driver in (Driver.LUT, Driver.REGISTER, Driver.OTHER)] == [7, 3, 6]
    assert [(net.name, net.cell, net.loads) for net in found.nets(Driver.LUT, 2)] == [
        ("x", "LUT2", 7), ("m", "MUXF7", 4)]
    assert [(net.name, net.cell) for net in found.nets(Driver.OTHER, 2)] == [("u", "URAM288"), ("b", "port")]


def test_a_net_without_a_name_is_called_after_what_it_reaches(fan_out):
    found = fan_out([lut("a b", "_1"), lut("_1 b", "_2"), register("_2", "unit.q")], inputs="a b clk")
    assert [net.name for net in found.nets(Driver.LUT, 1)] == ["-> unit.q"]
    assert str(found.nets(Driver.LUT, 1)[0]) == "1 loads: -> unit.q (LUT2), 1 logic, such as unit.q"


def test_nets_that_differ_in_a_number_are_one(fan_out):
    cells = [register("in", f"unit_{n}.bank[{n}]") for n in range(4)]
    cells += [lut(f"unit_{n}.bank[{n}] x", f"o{k}_{n}") for n in range(4) for k in range(3 + n)]
    cells += [register("in", "unit.other"), lut("unit.other x", "z")]
    found = fan_out(cells, inputs="in x clk")
    assert [(net.name, net.loads) for net in found.nets(Driver.REGISTER, 9)] == [
        ("unit_3.bank[3]", 6), ("unit.other", 1)]


def test_no_net_has_no_loads(fan_out):
    found = fan_out([("$scopeinfo", {"X": "a"})])
    assert (found.worst(Driver.LUT), found.nets(Driver.LUT, 3)) == (0, [])
