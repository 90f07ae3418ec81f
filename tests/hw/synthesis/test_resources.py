"""Counts of hand-made netlists in the vendor's units."""

from hw.synthesis.resources import XCK26, Resources, count_resources, unregistered_dsps
from tests.hw.synthesis.netlists import carry4, lut, netlist, register


def test_every_kind_is_counted_in_its_unit(tmp_path):
    cells = [lut("a b", "_0"), lut("a b c d e f", "_1"), ("INV", {"I": "a", "O": "_2"}),
             ("MUXF7", {"I0": "_0", "I1": "_1", "S": "a", "O": "_3"}), carry4("a 0 0 0", "_4 _5 _6 _7"),
             ("RAM64M8", {}), ("RAM32M", {}), ("RAM64X1D", {}), ("SRL16E", {}), ("SRLC32E", {}),
             register("a", "q"), ("FDSE", {"D": "a", "Q": "r", "C": "clk"}),
             ("DSP48E2", {}), ("RAMB36E2", {}), ("RAMB18E2", {}), ("URAM288", {}), ("$scopeinfo", {})]
    memory = 8 + 4 + 2 + 1 + 1
    assert count_resources(netlist(tmp_path, cells)) == Resources(
        lut=3 + memory, lutram=memory, ff=2, dsp=1, bram36=1.5, uram=1)


def test_the_device_is_full_at_its_last_site_and_not_before():
    full = vars(XCK26.sites)
    assert XCK26.fits(XCK26.sites)
    for name in full:
        assert not XCK26.fits(Resources(**full | {name: full[name] + 0.5}))


def dsp(pins, **registers):
    return "DSP48E2", pins, {f"{name}REG": f"{stages:032b}" for name, stages in registers.items()}


def test_a_dsp_without_a_register_on_the_way_is_told(tmp_path):
    product = {"A": "a", "B": "b", "C": "0", "P": "p"}
    assert unregistered_dsps(netlist(tmp_path, [dsp(product, A=0, B=0, C=0, M=0, P=0)])) == 1
    assert unregistered_dsps(netlist(tmp_path, [dsp(product, A=1, B=0, C=0, M=0, P=0)])) == 1
    assert unregistered_dsps(netlist(tmp_path, [dsp(product, A=1, B=1, C=0, M=0, P=0)])) == 0
    assert unregistered_dsps(netlist(tmp_path, [dsp(product, A=0, B=0, C=0, M=1, P=0)])) == 0
    assert unregistered_dsps(netlist(tmp_path, [dsp(product, A=0, B=0, C=0, M=0, P=1)])) == 0
    assert unregistered_dsps(netlist(tmp_path, [dsp(product | {"C": "c"}, A=1, B=1, C=0, M=1, P=0)])) == 1
