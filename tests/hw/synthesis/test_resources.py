"""Counts of hand-made netlists in the vendor's units."""

from hw.boards.device import Resources
from hw.boards.registry import BOARDS
from hw.synthesis.resources import count_resources, late_products
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
    device = BOARDS["kv260"].device
    full = vars(device.sites)
    assert device.fits(device.sites)
    for name in full:
        assert not device.fits(Resources(**full | {name: full[name] + 0.5}))


def test_a_product_that_meets_logic_before_a_register_is_named(tmp_path):
    def late(*cells, outputs="", **registers):
        parameters = {"MREG": "0", "PREG": "0"} | {name: f"{stages:032b}" for name, stages in registers.items()}
        product = ("DSP48E2", {"A": "a", "B": "b", "P": "p _spare"}, parameters)
        return late_products(netlist(tmp_path, [product, *cells], "a b clk", outputs))

    assert late(register("p", "q")) == []
    assert late(("SRL16E", {"D": "p", "A0": "a", "Q": "q"})) == []
    assert late(("SRL16E", {"D": "a", "A0": "p", "Q": "q"})) == ["p"]
    assert late(lut("p a", "_1"), register("_1", "q")) == ["p"]
    assert late(lut("p a", "_1"), register("_1", "q"), MREG=1) == []
    assert late(lut("p a", "_1"), register("_1", "q"), PREG=1) == []
    assert late(register("p", "q"), lut("p a", "_1"), register("_1", "r")) == ["p"]
    assert late(register("a", "q", CE="p")) == ["p"]
    assert late(outputs="p") == ["p"]
