"""Paths out of a hand-made SDF file: arrivals added up, the worst one of each register, chains and escapes."""

from hw.place.timing import TimedPath, routed_timing


def worst_paths(lines: list[str], count: int) -> list[TimedPath]:
    return list(routed_timing(lines, count).paths)


def sdf(*cells: str, wires: str = "") -> list[str]:
    """Lines as nextpnr writes them: cells are `NAME arc; arc`, those with `PAD` for arcs pads, wires `driver load ps;`.
    """
    lines = ['  (CELL (CELLTYPE "top") (INSTANCE )']
    for wire in filter(None, wires.split("; ")):
        driver, load, ps = wire.split()
        lines.append(f"        (INTERCONNECT {driver} {load} (1:2:{ps}) (1:2:{ps}))")
    for cell in cells:
        name, arcs = cell.split(" ", 1)
        lines += [f'    (CELLTYPE "{"TRELLIS_IO" if arcs == "PAD" else "X"}")', f"    (INSTANCE {name})"]
        for arc in arcs.split("; ") if arcs != "PAD" else ():
            a, b, ps = arc.split()
            delays = f"(1:2:{ps}) (0:0:0)"
            lines += [f"      (SETUPHOLD ({edge} {a}) (posedge {b}) {delays})" for edge in ("posedge", "negedge")] if (
                b in ("CLK", "WCK")) else [f"        (IOPATH {a} {b} {delays})"]
    return [line + "\n" for line in lines]


REGISTER = "CLK Q 500; DI CLK 100"


def test_a_path_is_clock_to_output_wires_logic_and_setup():
    (path, *others) = worst_paths(sdf(
        f"in.x_TRELLIS_FF_Q {REGISTER}", f"out.y_TRELLIS_FF_Q_3 {REGISTER}", "mid.z_LUT4_Z A F 200",
        wires="in.x_TRELLIS_FF_Q/Q mid.z_LUT4_Z/A 1000; mid.z_LUT4_Z/F out.y_TRELLIS_FF_Q_3/DI 2000; "
              "clock/CLKO in.x_TRELLIS_FF_Q/CLK 9000"), 5)
    assert path == TimedPath(3.8, 3.0, 1, "in.x_TRELLIS_FF_Q", "out.y_TRELLIS_FF_Q_3", ("mid.z_LUT4_Z",))
    assert not others and path.unit == "out" and path.to_json()["unit"] == "out"
    assert str(path) == "3.80 ns, 79% of it wires, 1 levels: in.x -> out.y (by way of in -> mid -> out)"


def test_the_worst_way_counts_and_registers_alike_are_one():
    cells = [f"{name} {REGISTER}" for name in ("a.r_TRELLIS_FF_Q", "b.s_TRELLIS_FF_Q_1", "b.s_TRELLIS_FF_Q_2")]
    found = worst_paths(sdf(*cells, "l_LUT4_Z A F 200; B F 300", wires=(
        "a.r_TRELLIS_FF_Q/Q l_LUT4_Z/A 100; a.r_TRELLIS_FF_Q/Q l_LUT4_Z/B 100; "
        "l_LUT4_Z/F b.s_TRELLIS_FF_Q_1/DI 100; l_LUT4_Z/F b.s_TRELLIS_FF_Q_2/DI 300")), 5)
    assert [(path.ns, path.end) for path in found] == [(1.3, "b.s_TRELLIS_FF_Q_2")]


def test_a_carry_chain_is_one_level_and_names_are_unescaped():
    found = worst_paths(sdf(
        rf"u.a\\TRELLIS_FF_Q {REGISTER}", rf"u.s\\TRELLIS_FF_Q {REGISTER}", "c0 A FCO 100", "c1 FCI FCO 50",
        "c2 FCI F 50", wires=r"u.a\\TRELLIS_FF_Q/Q c0/A 1; c0/FCO c1/FCI 0; c1/FCO c2/FCI 0; "
                             r"c2/F u.s\\TRELLIS_FF_Q/DI 1"), 5)
    assert (found[0].levels, found[0].start) == (1, r"u.a\TRELLIS_FF_Q")
    assert str(found[0]).split(": ")[1].startswith("u.a -> u.s ")


def test_units_that_share_a_name_are_told_apart_by_what_is_in_them():
    names = ("u$26.a.r\\\\TRELLIS_FF_Q", "u$26.b.r\\\\TRELLIS_FF_Q", "u$26.b.$signal$5\\\\TRELLIS_FF_Q")
    first = names[0]
    found = worst_paths(sdf(*(f"{name} {REGISTER}" for name in names), wires="; ".join(
        f"{first}/Q {name}/DI {1000 + number}" for number, name in enumerate(names))), 5)
    assert [path.unit for path in found] == ["u$26.b", "u$26.b", "u$26.a"]


def test_pads_are_told_apart_from_paths():
    found = routed_timing(sdf(f"r {REGISTER}", "in$tr_io PAD", "out$tr_io PAD", "both[1].dq PAD", "idle PAD", wires=(
        "in$tr_io/O r/DI 900; r/Q out$tr_io/I 2000; r/Q both[1].dq/T 300; both[1].dq/O r/DI 100")), 5)
    assert found.paths == ()
    assert found.pads == {"in": 1.0, "out": 2.5, "both[1].dq": 0.8}
