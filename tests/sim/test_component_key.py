"""Keys of components: equal for equal Verilog, different where anything that is elaborated differs."""

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scale_round import ScaleRound
from hw.vector.norm_quant import NormQuant
from sim import component_key as module
from sim.component_key import component_key
from sim.runner import emit_verilog, run_bench
from tests.hw.vector.shared_units import WithSharedUnits
from tests.sim.components import StreamFifo


class Held(wiring.Component):
    """Adds what it holds."""

    def __init__(self, value, width=8, init=0):
        self.value = value
        super().__init__({"a": In(width), "b": Out(unsigned(8), init=init)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(self.a + (self.value if isinstance(self.value, int) else len(self.value)))
        return m


def test_equal_components_have_equal_keys_and_verilog():
    assert component_key(WithSharedUnits(NormQuant(4))) == component_key(WithSharedUnits(NormQuant(4))) is not None
    assert component_key(StreamFifo(8)) == component_key(StreamFifo(8))
    assert emit_verilog(StreamFifo(8)) == emit_verilog(StreamFifo(8))


def test_whatever_differs_changes_the_key():
    held = [Held(1), Held(2), Held("1"), Held((1,)), Held([1]), Held({"a": 1}), Held({"b": 1}), Held(None), Held(1, 9),
            Held(1, 8, 3), Held(StreamFifo(8)), Held(StreamFifo(9)), Held(Signal(3)), Held(Signal(4)), Held(Held),
            StreamFifo(8), StreamFifo(16)]
    keys = [component_key(component) for component in held]
    assert None not in keys and len(set(keys)) == len(keys)


@pytest.mark.parametrize("value", [lambda: 1, object(), iter(())])
def test_what_cannot_be_told_has_none(value):
    assert component_key(Held(value)) is None


def test_a_class_made_in_a_function_has_none():
    def of(width):
        class Local(wiring.Component):
            a: In(width)

            def elaborate(self, platform):
                return Module()
        return Local()

    assert component_key(of(3)) is None


def test_a_part_that_leads_back_ends():
    part = Held([])
    part.value.append(part)
    assert component_key(part) is not None


def test_sources_are_part_of_it(monkeypatch, tmp_path):
    before = component_key(StreamFifo(8))
    monkeypatch.setattr(module, "_sources", lambda: "others")
    assert component_key(StreamFifo(8)) != before


def test_verilog_is_written_once(monkeypatch, tmp_path):
    """The second bench of equal components finds it, one of another writes its own."""
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path))
    written = []

    def emit(component, technology):
        written.append(component)
        return "module top();\nendmodule\n"

    monkeypatch.setattr("sim.runner.emit_verilog", emit)
    monkeypatch.setattr("sim.runner.build_bench", lambda text, waves: pytest.fail(text))
    for component, times in ((ScaleRound(8, 16), 1), (ScaleRound(8, 16), 1), (ScaleRound(8, 17), 2)):
        with pytest.raises(pytest.fail.Exception, match="module top"):
            run_bench(component, "tests.sim.echo_bench")
        assert len(written) == times
