"""The KV260's device-tree overlay: what xmutil has the kernel load, and what it then knows of the fabric."""

from __future__ import annotations

from models.machine.build import BuildParameters

__all__ = ["overlay"]

_IOPLL_HZ = 1_499_985_000  # 33.333 MHz times 45
_DATA_PORTS = {0: (4, 5), 1: (6, 7), 2: (8, 9), 3: (10, 11)}  # HP port: the driver's numbers, of reads and of writes
_HPM0_WIDTH = 14
_WIDE, _NARROW = 0, 0  # 128 bits of a data port; 32 bits of HPM0

_SOURCE = """\
/* Tritloom on a KV260 at {mhz} MHz. Compile: dtc -@ -I dts -O dtb -o tritloom.dtbo tritloom.dtso */
/dts-v1/;
/plugin/;

/* loads the bitstream, with the fabric held in reset */
&fpga_full {{
	#address-cells = <2>;
	#size-cells = <2>;
	firmware-name = "tritloom.bit.bin";
	resets = <&zynqmp_reset 116>;
}};

&amba {{
	#address-cells = <2>;
	#size-cells = <2>;

	/* data ports of 128 bits each way, the register bus of 32 */
	afi0: afi0 {{
		compatible = "xlnx,afi-fpga";
		config-afi = {widths};
		resets = <&zynqmp_reset 116>;
	}};

	/* PL0, the one clock */
	clocking0: clocking0 {{
		compatible = "xlnx,fclk";
		#clock-cells = <0>;
		assigned-clocks = <&zynqmp_clk 71>;
		assigned-clock-rates = <{hertz}>;
		clock-output-names = "fabric_clk";
		clocks = <&zynqmp_clk 71>;
	}};

	/* registers, and the interrupt at pl_ps_irq0 */
	tritloom@a0000000 {{
		compatible = "generic-uio";
		reg = <0x0 0xa0000000 0x0 0x1000>;
		interrupt-parent = <&gic>;
		interrupts = <0 89 4>;
	}};
}};
"""


def overlay(build: BuildParameters) -> str:
    """Its source for a build: the bitstream's name, the ports' widths, the clock, registers and interrupt."""
    ports = [number for port in range(build.ports) for number in _DATA_PORTS[port]]
    widths = ", ".join([*(f"<{number} {_WIDE}>" for number in ports), f"<{_HPM0_WIDTH} {_NARROW}>"])
    divisor = round(_IOPLL_HZ / 1e6 / build.clock_mhz)
    return _SOURCE.format(mhz=build.clock_mhz, widths=widths, hertz=_IOPLL_HZ // divisor)
