"""Levels of known circuits, by hand; and of random ones against the plain recursion."""

import random

import pytest

from hw.synthesis.levels import LogicLevels
from hw.synthesis.weights import COUNTED, Weights
from models.errors import BuildError
from tests.hw.synthesis.netlists import carry4, lut, netlist, register


@pytest.fixture
def levels(tmp_path):
    def count(*arguments, weights=COUNTED, **ports):
        return LogicLevels(netlist(tmp_path, *arguments, **ports), weights)
    return count


def text(levels):
    (path,) = levels.paths(1)
    return str(path)


def test_registers_in_a_row_have_no_levels(levels):
    assert levels([register("a", "b"), register("b", "c")], inputs="a clk", outputs="c").worst == 0


def test_a_chain_of_luts_counts_each(levels):
    found = levels([register("in", "a"), lut("a x", "_1"), lut("_1 y z", "_2"), ("INV", {"I": "_2", "O": "_3"}),
                    register("_3", "b")], inputs="in x y z clk")
    assert found.worst == 3
    assert text(found) == "a -> LUT2 -> LUT3 -> INV -> b/D (FDRE)"
    assert found.histogram() == {0: 3, 3: 1}  # the registers' clocks and the first one's D; constants are no ends


def test_a_clock_enable_ends_a_path(levels):
    found = levels([register("a", "b", CE="_1"), lut("x y", "_1")], inputs="a x y clk")
    assert text(found) == "x -> LUT2 -> b/CE (FDRE)"


def test_ports_start_and_end_paths(levels):
    found = levels([lut("x y", "o")], inputs="x y", outputs="o")
    assert (found.worst, text(found)) == (1, "x -> LUT2 o -> o")


def test_wide_multiplexers_belong_to_their_luts(levels):
    found = levels([lut("a b", "_1"), lut("c d", "_2"), ("MUXF7", {"I0": "_1", "I1": "_2", "S": "e", "O": "_3"}),
                    ("MUXF8", {"I0": "_3", "I1": "_3", "S": "e", "O": "_4"}), register("_4", "q")],
                   inputs="a b c d e clk")
    assert found.worst == 1
    assert text(found) == "a -> LUT2 + MUXF7 + MUXF8 -> q/D (FDRE)"


def chain(select):
    """Twelve bits, carries c and sums s, from the nets of the first S."""
    return [carry4(f"{select} 0 0 0", "s0 s1 s2 s3", "c0 c1 c2 c3"),
            carry4("0 0 0 0", "s4 s5 s6 s7", "c4 c5 c6 c7", ci="c3"),
            carry4("0 0 0 0", "s8 s9 s10 s11", "c8 c9 c10 c11", ci="c7")]


def test_a_carry_chain_is_one_level(levels):
    found = levels([lut("a b", "_s"), *chain("_s"), register("s11", "q")], inputs="a b clk")
    assert found.worst == 2
    assert text(found) == "a -> LUT2 -> CARRY4 x 3 s11 -> q/D (FDRE)"


def test_a_chain_that_starts_another_is_a_level_each(levels):
    through_fabric = [carry4("c11 0 0 0", "t0 t1 t2 t3"), register("t3", "q")]
    assert levels([*chain("a"), *through_fabric], inputs="a clk").worst == 2
    through_init = [carry4("0 0 0 0", "t0 t1 t2 t3", cyinit="c11"), register("t3", "q")]
    assert levels([*chain("a"), *through_init], inputs="a clk").worst == 2
    from_the_middle = [carry4("0 0 0 0", "t0 t1 t2 t3", ci="c9"), register("t3", "q")]
    assert levels([*chain("a"), *from_the_middle], inputs="a clk").worst == 2


def test_a_carry_out_leaves_by_the_same_level(levels):
    found = levels([*chain("a"), lut("c11 b", "_1"), register("_1", "q")], inputs="a b clk")
    assert text(found) == "a -> CARRY4 x 3 c11 -> LUT2 -> q/D (FDRE)"


def test_a_low_sum_does_not_wait_for_high_bits(levels):
    late = [lut("a b", "_1"), lut("_1 b", "_2"), carry4("a 0 0 _2", "s0 s1 s2 s3"), register("s0", "q"),
            register("s3", "r")]
    assert levels(late, inputs="a b clk").histogram()[1] == 1  # q, while r has three
    value = [lut("a b", "_1"), carry4("a 0 0 0", "s0 s1 s2 s3", di="_1 0 0 0"), register("s0", "x.q"),
             register("s1", "y.r")]
    assert [str(path) for path in levels(value, inputs="a b clk").paths(2)] == [
        "a -> LUT2 -> CARRY4 s1 -> y.r/D (FDRE)", "a -> CARRY4 s0 -> x.q/D (FDRE)"]
    fed_back = [carry4("a 0 0 _1", "s0 s1 s2 s3"), lut("s0 b", "_1"), register("s3", "q")]
    found = levels(fed_back, inputs="a b clk")
    assert (found.worst, found.loop) == (3, ())


def test_eight_bit_carries_join_too(levels):
    def carry8(s, o, co, ci):
        return "CARRY8", {"S": s + " 0" * 7, "DI": "0" + " 0" * 7, "CI": ci, "CI_TOP": "0",
                          "O": " ".join(f"{o}{n}" for n in range(8)), "CO": " ".join(f"{co}{n}" for n in range(8))}

    found = levels([carry8("a", "s", "c", "0"), carry8("0", "t", "d", "c7"), register("t7", "q")], inputs="a clk")
    assert text(found) == "a -> CARRY8 x 2 t7 -> q/D (FDRE)"


def ram(address, output, write="w w w w w"):
    return "RAM32M16", {"ADDRA": address, "DOA": output, "ADDRH": write, "DIA": "d d", "WE": "e", "WCLK": "clk"}


def test_reading_distributed_memory_is_a_level_and_writing_it_an_end(levels):
    found = levels([register("in", "w"), ram("a a a a a", "_0 _1"), lut("_0 b", "_2"), register("_2", "q")],
                   inputs="in a b d e clk")
    assert text(found) == "a -> RAM32M16 -> LUT2 -> q/D (FDRE)"
    written = levels([lut("a b", "_w"), ram("x x x x x", "p q", "_w _w _w _w _w")], inputs="a b d e x clk")
    assert text(written) == "a -> LUT2 -> p/ADDRH[0] (RAM32M16)"
    assert written.worst == 1


def test_a_memory_with_both_addresses_in_one(levels):
    pins = {"A": "a a a a a a a", "DPRA": "b b b b b b b", "D": "d", "WE": "e", "WCLK": "clk"}
    single = levels([lut("x y", "a"), ("RAM128X1D", pins | {"SPO": "_1"}), register("_1", "q")], inputs="x y b d e clk")
    assert single.worst == 2
    dual = levels([lut("x y", "a"), ("RAM128X1D", pins | {"DPO": "_1"}), register("_1", "q")], inputs="x y b d e clk")
    assert dual.worst == 1  # the write address ends a path of one, the read takes one
    read = levels([lut("x y", "b"), ("RAM128X1D", pins | {"DPO": "_1"}), register("_1", "q")], inputs="x y a d e clk")
    assert {path.levels: path.end for path in read.paths(9)}[2] == "q/D (FDRE)"
    assert read.histogram()[2] == 1 and 1 not in read.histogram()  # the read address is no end


def test_shift_registers_are_read_at_an_address_and_clocked_otherwise(levels):
    pins = {"A": "a a a a a", "CE": "1", "CLK": "clk", "D": "_1"}
    found = levels([lut("x y", "_1"), ("SRLC32E", pins | {"Q": "_2", "Q31": "_3"}), lut("_2 x", "_4"),
                    register("_4", "q"), lut("_3 y", "_5"), register("_5", "r")], inputs="a x y clk")
    assert found.histogram() == {0: 3, 1: 2, 2: 1}  # clocks; D and r; q


@pytest.mark.parametrize("kind,into,out", [
    ("RAMB36E2", "ADDRARDADDR", "DOUTADOUT"), ("URAM288", "ADDR_A", "DOUT_A"), ("DSP48E2", "A", "P")])
def test_blocks_are_ends(levels, kind, into, out):
    found = levels([register("in", "a"), lut("a b", "_1"), (kind, {into: "_1", out: "_2"}), lut("_2 b", "_3"),
                    register("_3", "q")], inputs="in b clk")
    assert found.worst == 1
    assert {str(path) for path in found.paths(9) if path.levels} == {
        f"a -> LUT2 -> $cell2/{into} ({kind})", f"$cell2/{out} ({kind}) -> LUT2 -> q/D (FDRE)"}


def test_a_loop_is_found_and_named(levels):
    found = levels([lut("a y", "x"), lut("x b", "y"), lut("y b", "_1"), register("_1", "q")], inputs="a b clk")
    assert found.worst is None and found.paths(3) == []
    assert sorted(found.loop) == ["x", "y"]


def test_a_loop_through_a_memorys_address(levels):
    found = levels([ram("_1 0 0 0 0", "x _2", "0 0 0 0 0"), lut("x a", "_1")], inputs="a d e clk")
    assert "x" in found.loop
    written = levels([ram("a 0 0 0 0", "x _2", "_1 0 0 0 0"), lut("x a", "_1")], inputs="a d e clk")
    assert written.loop == ()


def test_paths_of_one_kind_are_named_once(levels):
    cells = [cell for n in range(5) for cell in (lut(f"a_{n} b", f"_{n}"), register(f"_{n}", f"unit_{n}.bank[{n}]"))]
    cells += [lut("a_0 b", "_x"), lut("_x a_1", "_y"), register("_y", "unit_9.other"), register("_y", "second.z")]
    found = levels(cells, inputs="a_0 a_1 a_2 a_3 a_4 b clk").paths(9)
    assert [(path.levels, path.start.rstrip("0123456789"), path.end) for path in found[:2]] == [
        (2, "a_", "unit_9.other/D (FDRE)"), (2, "a_", "second.z/D (FDRE)")]
    assert {(path.levels, path.start) for path in found[2:]} == {(0, "clk")} and len(found) == 4


def test_each_unit_has_the_most_levels_before_an_end_of_its_own(levels):
    cells = [register("in", "top"), lut("top b", "_1"), lut("_1 b", "_2"), register("_2", "array.row_0.r[3]"),
             register("_1", "array.row_0.q"), register("_2", "array.s"), lut("_2 b", "_3"), register("_3", "last"),
             ("RAMB36E2", {"ADDRARDADDR": "_1", "DOUTADOUT": "store.data"})]
    assert levels(cells, inputs="in b clk").by_unit() == {"": 3, "array.row_0": 2, "array": 2, "store": 1}


def test_weights_choose_the_longest_path(levels):
    cells = [register("in", "a"), lut("a b", "_1"), lut("_1 b", "_2"), register("_2", "far"), register("in", "many"),
             lut("many b", "_3"), register("_3", "near"), *(register("many", f"q{n}") for n in range(40))]
    counted = levels(cells, inputs="in b clk").paths(1)
    weighed = levels(cells, inputs="in b clk", weights=Weights(some=1.5, many=9)).paths(1)
    assert [(path.levels, path.weighed, path.end) for path in counted + weighed] == [
        (2, 2, "far/D (FDRE)"), (1, 2.5, "near/D (FDRE)")]
    joined = levels([*cells, lut("_1 many", "_4"), lut("_4 b", "_5"), register("_5", "both")], inputs="in b clk",
                    weights=Weights(some=1.5)).paths(1)
    assert [(path.levels, path.weighed, path.start) for path in joined] == [(2, 3.5, "many")]


def test_many_loads_are_said(levels):
    cells = [register("in", "a"), *(lut("a b", f"_{n}") for n in range(40)),
             *(register(f"_{n}", f"q{n}") for n in range(40))]
    assert text(levels(cells, inputs="in b clk")).startswith("a (40 loads) -> LUT2 -> q")


def test_a_cell_nobody_knows_is_an_error(levels):
    with pytest.raises(BuildError, match="unknown type MULT18X18"):
        levels([("MULT18X18", {"A": "a", "P": "p"})], inputs="a")


@pytest.mark.parametrize("seed", range(5))
def test_random_luts_against_the_recursion(levels, seed):
    pick = random.Random(seed)
    sources = {f"_{n}": pick.sample([f"i{k}" for k in range(6)] + [f"_{k}" for k in range(n)], pick.randint(1, 6))
               for n in range(120)}
    cells = [lut(" ".join(inputs), net) for net, inputs in sources.items()]
    pick.shuffle(cells)
    depth = {f"i{k}": 0 for k in range(6)}
    for net, inputs in sources.items():
        depth[net] = 1 + max(depth[source] for source in inputs)
    ends = [register(net, f"q{net}") for net in sources]
    found = levels(cells + ends, inputs="i0 i1 i2 i3 i4 i5 clk")
    assert found.worst == max(depth.values())
    (path,) = found.paths(1)
    assert path.levels == len(path.steps) == found.worst
    assert sum(found.histogram().values()) == 2 * len(ends)
