"""Yosys scripts of each family of chips: Verilog `design.v` in, the mapped `netlist.json` out."""

from __future__ import annotations

from hw.boards.technology import Technology

__all__ = ["scripts"]


def scripts(top: str, technology: Technology) -> dict[str, str]:
    """Yosys scripts by the name of their LUT mapper, in the order they are tried.

    All are the family's `synth`, flat, without pads and clock buffers: what is counted lies inside a block design, or
    has its pads in its top module. ABC9 knows delays and maps around carry chains and memories. It names its nets after
    those it was given and may meet a name that is taken, which ends the run; so nets are without names when it starts,
    and registers have theirs. It has been seen to fail on netlists with almost nothing to map. Classic ABC then takes
    its place between the same steps. Vivado leaves registers alone that have the attribute `keep`, Yosys cells; so
    their cells get it.
    """
    read = f"read_verilog design.v; hierarchy -top {top}; proc; setattr -set keep 1 a:keep %ci1 t:$*dff* %i"
    write = ("setattr -unset src -unset module_not_derived */*; "
             f"select {top}; write_json -selected netlist.json")
    family = _ecp5 if technology.synth == "synth_ecp5" else _xilinx
    return {mapper: f"{read}; {script}; {write}" for mapper, script in family(top, technology).items()}


def _xilinx(top: str, technology: Technology) -> dict[str, str]:
    """ABC9's delays are an Artix-7's, where a LUT's slow pins cost as much as two levels; here wires do
    (`wire_delay_ps`)."""
    flow = f"{technology.synth} -flatten -noiopad -noclkbuf -top {top}"
    classic = ("opt_expr -mux_undef -noclkinv; abc -luts 2:2,3,6:5,10,20; clean; xilinx_srl -fixed -minlen 3; "
               "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6; xilinx_dffopt; "
               "opt_lut_ins -tech xilinx")
    return {"abc9": f"scratchpad -set synth_xilinx.abc9.W {technology.wire_delay_ps}; "
                    f"{flow} -abc9 -run begin:map_luts; rename -wire t:FD* t:LD*; "
                    f"rename -hide w:*; {flow} -abc9 -run map_luts:",
            "abc": f"{flow} -run begin:map_luts; {classic}; {flow} -run finalize:"}


def _ecp5(top: str, technology: Technology) -> dict[str, str]:
    """No pads: the top module of a board has them."""
    flow = f"{technology.synth} -top {top}"
    names = "rename -wire t:TRELLIS_FF; rename -hide w:*"
    return {"abc9": f"{flow} -run begin:map_luts; {names}; {flow} -run map_luts:",
            "abc": f"{flow} -run begin:map_luts; {names}; abc -lut 4; clean; {flow} -run map_cells:"}
