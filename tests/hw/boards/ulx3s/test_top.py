"""The ULX3S's top module and its pins: against the board's description in amaranth-boards, and the system's ports."""

import re

import pytest

from hw.boards.registry import BOARDS
from hw.boards.ulx3s.top import top
from hw.soc.serial_soc import SerialSoc

BOARD = BOARDS["ulx3s"]
LPF = (BOARD.folder / BOARD.serial.constraints).read_text("utf-8")
OURS = {"clk25": "clk25", "rx": "uart.rx", "tx": "uart.tx", "reset_n": "button_pwr", "esp32_gpio0": "esp32.gpio0",
        "led": "led", **{f"sdram_{name}": f"sdram.{name}" for name in ("clk", "we", "cas", "ras", "cs")},
        "sdram_cke": "sdram.clk_en",
        **{f"sdram_{name}": f"sdram.{name}" for name in ("dqm", "ba", "a", "dq")}}
"""Ports and what amaranth-boards calls them."""


@pytest.fixture(scope="module")
def described():
    """Pins, IO type and direction of the board's resources by name; each LED is one of its own."""
    platforms = pytest.importorskip("amaranth_boards.ulx3s", reason="pip install amaranth-boards")
    found = {}

    def add(name, io, attrs):
        pins, types, directions = found.setdefault(name, ([], set(), set()))
        pins += io.names
        types.add(attrs.get("IO_TYPE"))
        directions.add(io.dir)

    for resource in platforms.ULX3S_85F_Platform.resources:
        for part in resource.ios:
            if hasattr(part, "ios"):
                for io in filter(lambda io: hasattr(io, "names"), part.ios):
                    add(f"{resource.name}.{part.name}", io, {**resource.attrs, **part.attrs})
            elif hasattr(part, "names"):
                add(resource.name, part, resource.attrs)
    return found


def port_pins():
    """Sites by port, lowest bit first, and IO types."""
    sites: dict[str, list[str]] = {}
    for port, bit, site in re.findall(r'^LOCATE COMP "(\w+)(?:\[(\d+)\])?" SITE "(\w+)";$', LPF, re.MULTILINE):
        assert int(bit or 0) == len(sites.setdefault(port, []))
        sites[port].append(site)
    types = dict(re.findall(r'^IOBUF PORT "(\w+)(?:\[\d+\])?" .*IO_TYPE=(\w+);$', LPF, re.MULTILINE))
    return sites, types


def ports():
    """Direction and width of the top module's ports."""
    head = re.search(r"module tritloom_top\((.*?)\);", top(BOARD.build), re.DOTALL)[1]
    return {name: (direction, int(high or 0) + 1)
            for direction, high, name in re.findall(r"(input|output|inout) (?:\[(\d+):0\] )?(\w+)", head)}


def test_pins_are_those_of_the_board(described):
    sites, types = port_pins()
    for port, pins in sites.items():
        name = OURS[port.removesuffix("_n")] if port != "reset_n" else OURS[port]
        listed, io_types, directions = described[name]
        assert pins == listed, port
        assert {types[port]} == io_types, port
        assert directions <= {"input": {"i", "io"}, "output": {"o", "io"}, "inout": {"io"}}[ports()[port][0]], port


def test_each_port_has_its_pins_and_no_pin_is_taken_twice():
    sites, types = port_pins()
    assert {port: len(pins) for port, pins in sites.items()} == {port: width for port, (_, width) in ports().items()}
    assert types.keys() == sites.keys()
    taken = [site for pins in sites.values() for site in pins]
    assert len(taken) == len(set(taken))
    assert f'FREQUENCY PORT "clk25" {BOARD.serial.oscillator_mhz} MHZ;' in LPF


def test_the_system_is_wired_whole():
    text = top(BOARD.build)
    wired = set(re.findall(r"\.(\w+)\(", re.search(r"tritloom system\((.*?)\);", text, re.DOTALL)[1]))
    assert wired == {"clk", "rst", *SerialSoc(BOARD.build, BOARD).signature.members}


def test_the_light_blinks_about_once_a_second():
    high = int(re.search(r"reg \[(\d+):0\] beats", top(BOARD.build))[1])
    assert 0.5 < 2 ** (high + 1) / (BOARD.build.clock_mhz * 1e6) < 2.5
