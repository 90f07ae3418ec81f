"""What must hold between the wrapper and the block design, beside what `wrapper_checks` holds.

Each check takes a design and asserts; `failing` names those of all that a design does not stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from xml.etree import ElementTree

from hw.description.ip_xact import IP_LIBRARY, IP_VENDOR
from tests.hw.boards.vivado_design import Design
from tests.hw.boards.wrapper_checks import SPACE, WRAPPER_CHECKS, interfaces

__all__ = ["CHECKS", "Check", "failing"]

Check = Callable[[Design], None]

RESET_PINS = {"slowest_sync_clk", "ext_reset_in", "interconnect_aresetn", "peripheral_aresetn"}  # PG164


def every_connected_pin_exists(design: Design) -> None:
    pins = {"ps": design.processor.pins, "reset": RESET_PINS, "control": {"aclk", "aresetn"},
            "tritloom": set(design.wrapper) - {name for name in design.wrapper if "_axi_" in name},
            **({"fan": {"Din", "Dout"}} if design.processor.outside else {})}
    assert set(pins) == set(design.cells)
    for pin in {pin for net in design.nets("connect_bd_net") for pin in net}:
        cell, _, name = pin.partition("/")
        assert name in pins[cell] if name else cell in dict(design.processor.outside), pin


def every_pin_of_the_accelerator_is_connected_once(design: Design) -> None:
    driven = Counter(pin for net in design.nets("connect_bd_net") for pin in net if pin.startswith("tritloom/"))
    assert driven == Counter(f"tritloom/{name}" for name in design.wrapper if "_axi_" not in name)
    joined = Counter(pin for net in design.nets("connect_bd_intf_net") for pin in net if pin.startswith("tritloom/"))
    assert joined == Counter(f"tritloom/{name}" for name in interfaces(design.wrapper))


def one_clock_drives_everything(design: Design) -> None:
    nets, clock = design.nets("connect_bd_net"), f"ps/{design.processor.clock_pin}"
    clocked = {pin for net in nets if clock in net for pin in net}
    assert clocked == {pin for net in nets for pin in net if re.search(r"clk\d?$", pin, re.IGNORECASE)}
    assert {f"ps/{pin}" for pin in design.processor.pins if pin.lower().endswith("aclk")} < clocked
    assert {"reset/slowest_sync_clk", "control/aclk", "tritloom/aclk"} < clocked


def the_clock_is_the_builds(design: Design) -> None:
    ps = design.configuration("/ps")
    assert float(ps[design.processor.clock]) == design.board.build.clock_mhz
    assert all(ps[name] == "1" for name in design.processor.on)
    if design.processor.pll_mhz:
        assert ps["PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"


def interfaces_are_enabled_and_as_wide_as_their_peers(design: Design) -> None:
    ps, processor, nets = design.configuration("/ps"), design.processor, design.nets("connect_bd_intf_net")
    enabled = {interface for name, interface in processor.interface_of.items() if ps.get(name) == "1"}
    assert {pin for net in nets for pin in net if pin.startswith("ps/")} == {f"ps/{name}" for name in enabled}
    joined = {peer.removeprefix("ps/"): port.removeprefix("tritloom/") for port, peer in nets if peer.startswith("ps/")}
    assert joined == {processor.data.format(n=n): f"m{n}_axi" for n in range(design.board.build.ports)}
    for interface, name in processor.width_of.items():
        assert int(ps[name]) == design.wrapper[f"{joined.get(interface, 's_axi')}_wdata"].width


def the_register_window_is_as_large_as_the_address(design: Design) -> None:
    (window,) = (call for call in design.calls if call[0] == "assign_bd_address" and "-offset" in call)
    assert window[-1] == "tritloom/s_axi/reg0"
    bytes_ = 2 ** design.wrapper["s_axi_awaddr"].width
    assert window[window.index("-range") + 1] == f"{bytes_ // 1024}K"
    block = ElementTree.fromstring(design.component).find(f".//{SPACE}addressBlock")
    assert (block.findtext(f"{SPACE}name"), block.findtext(f"{SPACE}range")) == ("reg0", str(bytes_))


def data_ports_reach_the_ddr_and_nothing_else(design: Design) -> None:
    reached, excluded = set(), set()
    for call in design.calls:
        if call[0] in ("assign_bd_address", "exclude_bd_addr_seg") and call[2].startswith("tritloom/"):
            (reached if call[0] == "assign_bd_address" else excluded).add((call[2], call[3]))

    def of(segments: tuple[str, ...]) -> set[tuple[str, str]]:
        return {(f"tritloom/m{n}_axi", f"ps/{segment.format(n=n, group=n + 2)}")
                for n in range(design.board.build.ports) for segment in segments}

    assert reached == of(design.processor.segments) and excluded == of(design.processor.others)
    if len(design.processor.segments) > 1:  # the high half ends at 34 GiB
        assert all(design.wrapper[f"m{n}_axi_araddr"].width >= 36 for n in range(design.board.build.ports))


def the_accelerator_is_the_wrapper(design: Design) -> None:
    assert design.cells["tritloom"] in ("tritloom_axi", f"{IP_VENDOR}:{IP_LIBRARY}:tritloom_axi")
    root = ElementTree.fromstring(design.component)
    assert [root.findtext(f"{SPACE}{name}") for name in ("vendor", "library", "name")] == [
        IP_VENDOR, IP_LIBRARY, "tritloom_axi"]


CHECKS: tuple[Check, ...] = (
    *WRAPPER_CHECKS, every_connected_pin_exists, every_pin_of_the_accelerator_is_connected_once,
    one_clock_drives_everything, the_clock_is_the_builds, interfaces_are_enabled_and_as_wide_as_their_peers,
    the_register_window_is_as_large_as_the_address, data_ports_reach_the_ddr_and_nothing_else,
    the_accelerator_is_the_wrapper)


def failing(design: Design) -> set[str]:
    """Names of the checks that a design does not stand."""
    found = set()
    for check in CHECKS:
        try:
            check(design)
        except (AssertionError, KeyError, ValueError):
            found.add(check.__name__)
    return found
