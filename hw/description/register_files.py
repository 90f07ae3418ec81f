"""The register map for other tools: a C header, and SystemRDL. The map itself: `models.machine.registers`."""

from __future__ import annotations

from models.machine.registers import IDENTITY, REGISTERS, VERSION, Client, Control, Register, Status

__all__ = ["c_header", "system_rdl"]

_SOFTWARE = {"ro": ("r", "w"), "rw": ("rw", "r"), "wp": ("w", "r")}  # what a processor and the fabric do


def c_header() -> str:
    """Offsets in bytes, the bits of CONTROL, the bits and codes of STATUS, and the clients of FAULT."""
    lines = ["/* Registers of a Tritloom accelerator: byte offsets, 32 bits each. */", "#ifndef TRITLOOM_REGISTERS_H",
             "#define TRITLOOM_REGISTERS_H", "", "/* what ID and VERSION read */",
             f"#define TRITLOOM_ID_VALUE 0x{IDENTITY:08X}u", f"#define TRITLOOM_VERSION_VALUE {VERSION}u", ""]
    for register in REGISTERS:
        lines += [f"/* {register.access}: {register.description} */",
                  f"#define TRITLOOM_{register.name} 0x{register.offset:02X}u"]
    for what, group, values in (
            ("CONTROL: its bits", "CONTROL", _values(Control)),
            ("STATUS: its bits, and the codes in its bits 8 to 15", "STATUS", _values(Status)),
            ("FAULT: who asked, in its bits 0 to 7", "CLIENT", {c.name: c.value for c in Client})):
        lines += ["", f"/* {what} */"]
        lines += [f"#define TRITLOOM_{group}_{name} 0x{value:X}u" for name, value in values.items()]
    return "\n".join([*lines, "", "#endif", ""])


def _values(names: type) -> dict[str, int]:
    """A class' constants."""
    return {name: value for name, value in vars(names).items() if name.isupper()}


def system_rdl() -> str:
    """The map in SystemRDL 2.0."""
    lines = ["addrmap tritloom {", '    name = "Tritloom accelerator";', "    default regwidth = 32;",
             "    default accesswidth = 32;", ""]
    for register in REGISTERS:
        software, hardware = _SOFTWARE[register.access]
        description = register.description.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'    reg {{ desc = "{description}";',
                  f"        field {{ sw = {software}; hw = {hardware}; }} value[31:0]{_reset(register)};",
                  f"    }} {register.name} @ 0x{register.offset:02X};"]
    return "\n".join([*lines, "};", ""])


def _reset(register: Register) -> str:
    """A pulse falls back to it."""
    return "" if register.access == "ro" else f" = 0x{register.reset:X}" if register.reset else " = 0"
