"""Verilog of the ULX3S's top module: clock, reset and pads around the system."""

from __future__ import annotations

from models.machine.build import BuildParameters

__all__ = ["SDRAM_PAD_NS", "SDRAM_PHASE", "top"]

SDRAM_PHASE = 288
"""Degrees by which the SDRAM's clock follows the system's: 13.3 ns at 60 MHz (docs/ulx3s.md has the times)."""

SDRAM_PAD_NS = 8.0
"""What a signal may take from a register to the SDRAM's pads, or from these to a register, for that to hold."""

_RESET_BITS = 12  # of the counter that holds the reset after the PLL has locked and while the button is pressed


def top(build: BuildParameters) -> str:
    """Module `tritloom_top`, whose ports are the names in `ulx3s.lpf`.

    It has the modules `tritloom_pll` (`hw.place.pll`: the clock of the build, and the SDRAM's) and `tritloom`
    (`hw.soc`). LEDs: 0 blinks about once a second, 1 PLL locked, 2 the line is alive, 3 a run is under way, 4 it ended
    in an error.
    """
    blink = (build.clock_mhz * 1_000_000 // 2 - 1).bit_length()
    return f"""\
module tritloom_top(
  input clk25, input rx, output tx, input reset_n, output esp32_gpio0, output [7:0] led,
  output sdram_clk, output sdram_cke, output sdram_cs_n, output sdram_ras_n, output sdram_cas_n, output sdram_we_n,
  output [1:0] sdram_dqm, output [1:0] sdram_ba, output [12:0] sdram_a, inout [15:0] sdram_dq
);
  wire clk, late, locked;
  tritloom_pll pll(.clkin(clk25), .clkout0(clk), .clkout1(late), .locked(locked));
  ODDRX1F sdram_clock(.SCLK(late), .RST(1'b0), .D0(1'b1), .D1(1'b0), .Q(sdram_clk));

  // the button and the PLL's lock come from outside the clock
  reg [1:0] pressed = 2'b11, ready = 2'b00;
  reg [{_RESET_BITS - 1}:0] waited = 0;
  reg rst = 1;
  always @(posedge clk) begin
    pressed <= {{pressed[0], ~reset_n}};
    ready <= {{ready[0], locked}};
    if (pressed[1] | ~ready[1]) waited <= 0;
    else if (~&waited) waited <= waited + 1;
    rst <= ~&waited;
  end

  reg [1:0] line = 2'b11;
  always @(posedge clk) line <= {{line[0], rx}};

  reg [{blink}:0] beats = 0;
  always @(posedge clk) beats <= beats + 1;

  wire alive, busy, error;
  assign led = {{3'b000, error, busy, alive, ready[1], beats[{blink}]}};
  assign esp32_gpio0 = 1;

  wire [15:0] dq_o, dq_i;
  wire dq_oe;
  tritloom system(
    .clk(clk), .rst(rst), .rx(line[1]), .tx(tx),
    .light_alive(alive), .light_busy(busy), .light_error(error),
    .sdram_cke(sdram_cke), .sdram_cs_n(sdram_cs_n), .sdram_ras_n(sdram_ras_n), .sdram_cas_n(sdram_cas_n),
    .sdram_we_n(sdram_we_n), .sdram_dqm(sdram_dqm), .sdram_ba(sdram_ba), .sdram_a(sdram_a),
    .sdram_dq_o(dq_o), .sdram_dq_oe(dq_oe), .sdram_dq_i(dq_i));

  genvar n;
  generate for (n = 0; n < 16; n = n + 1) begin : sdram_pads
    BB dq(.I(dq_o[n]), .T(~dq_oe), .O(dq_i[n]), .B(sdram_dq[n]));
  end endgenerate
endmodule
"""
