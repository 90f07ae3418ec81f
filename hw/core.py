# amaranth: UnusedElaboratable=no
"""The accelerator: control, memory system and engines, wired."""

from __future__ import annotations

from collections.abc import Collection

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.attention.engine import AttentionEngine
from hw.boards.registry import board_of
from hw.control.system import ControlSystem
from hw.head.engine import HeadEngine
from hw.linear.engine import LinearEngine
from hw.memory.axi import Axi4, Axi4Lite, connect_flat, flat_members
from hw.memory.system import MemorySystem
from hw.stream.reset_tree import ResetTree
from hw.vector.engine import VectorEngine
from models.machine.build import BuildParameters
from models.machine.descriptor import Engine

__all__ = ["Core", "linear_core"]


class Core(wiring.Component):
    """One build: `s_axi_*` (AXI4-Lite registers), `m0_axi_*` .. (AXI4 masters, as wide as the
    board's ports), `irq`.

    A run walks descriptors in DRAM (docs/program.md); engines work at the same time as far as their
    semaphores let them. All engines are reset before a run and after an error, each through a tree of registers that
    RunControl gives time; memories keep their content. So is the memory system by `rst`, which lasts SHORTEST_RESET
    cycles at least (`hw.stream.reset_tree`).

    outside: engines by name that are left out. Each one's place is taken by an interface of that name, so that the
    rest of the core can be synthesised without them.
    """

    def __init__(self, build: BuildParameters, *, build_id: int = 0, outside: Collection[str] = ()) -> None:
        self._build, self._build_id = build, build_id
        self._engines = {"linear": LinearEngine(build), "head": HeadEngine(build), "vector": VectorEngine(build),
                         "attention": AttentionEngine(build)}
        self._outside = {name: In(self._engines[name].signature) for name in outside}
        members = dict(flat_members("s_axi", Axi4Lite().flip()))
        for port in range(build.ports):
            members |= flat_members(f"m{port}_axi", Axi4(board_of(build).ports.bits))
        super().__init__({"irq": Out(1), **members, **self._outside})

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        m.submodules.control = control = ControlSystem(build, build_id=self._build_id)
        m.submodules.memory = memory = MemorySystem(build)

        def engine(name: str) -> wiring.PureInterface:
            """The engine of that name, or what stands in its place."""
            if name in self._outside:
                return flipped(getattr(self, name))
            m.submodules[name] = ResetInserter(control.reset_engines)(ResetTree(name)(self._engines[name]))
            return self._engines[name]

        linear, head, vector, attention = engine("linear"), engine("head"), engine("vector"), engine("attention")

        connect_flat(m, control.bus, self, "s_axi")
        for port in range(build.ports):
            connect_flat(m, memory.axi[port], self, f"m{port}_axi")

        for number, command, retired in (
                (Engine.FETCH, memory.fetch_command, memory.fetch_retired),
                (Engine.LOAD, memory.load_command, memory.load_retired),
                (Engine.LINEAR, linear.command, linear.retired), (Engine.VECTOR, vector.command, vector.retired),
                (Engine.ATTEND, attention.command, attention.retired), (Engine.HEAD, head.command, head.retired)):
            connect(m, control.commands[number], command)
            m.d.comb += control.retired[number].eq(retired)

        for source, sink in (
                (control.descriptor_read, memory.descriptor_read), (memory.descriptors, control.descriptors),
                (memory.weights, linear.i_weights), (memory.head, head.i_weights),
                (memory.list_read, vector.read_list), (vector.listed, memory.listed), (memory.head_rows, head.i_rows),
                (memory.o_load, vector.i_load), (vector.o_write, memory.vector_write),
                (head.o_write, memory.head_write), (attention.o_read, memory.cache_read),
                (memory.cache, attention.i_data), (vector.o_linear, linear.i_activations),
                (vector.o_head, head.i_activations), (vector.o_query, attention.i_query),
                (vector.o_query_scale, attention.i_query_scale), (vector.read_a, linear.read_a),
                (linear.sums_a, vector.sums_a), (vector.read_b, linear.read_b), (linear.sums_b, vector.sums_b),
                (vector.read_attention, attention.i_request), (attention.o, vector.attention)):
            connect(m, source, sink)

        m.d.comb += [
            self.irq.eq(control.irq),
            memory.positions.eq(control.positions),
            memory.stop.eq(control.reset_engines),
            memory.base.eq(control.base),
            memory.limit.eq(control.limit),
            control.memory_quiet.eq(memory.quiet),
            control.faulty.eq(memory.faulty),
            control.fault.eq(memory.fault),
            control.port_beats.eq(memory.port_beats),
            control.port_busy.eq(memory.port_busy),
            control.axi_errors.eq(memory.errors),
            control.invalid_trits.eq(linear.invalid_bytes),
            control.saturations.eq(vector.saturations),
            control.zeros.eq(vector.zeros),
            control.activations.eq(vector.activations),
            vector.positions.eq(control.positions),
            vector.write_idle.eq(memory.vector_write_idle),
            vector.attention_exponent.eq(attention.exponent),
            attention.positions.eq(control.positions),
            head.unit.eq(vector.unit),
            head.write_idle.eq(memory.head_write_idle),
        ]
        return m


def linear_core(build: BuildParameters) -> Core:
    """The core without attention, vector and head engine: weights from the ports to the sums, and who runs that."""
    return Core(build, outside=("head", "vector", "attention"))
