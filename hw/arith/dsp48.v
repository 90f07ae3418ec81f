// PRIMITIVE for Verilator: of the block of UG479 or UG579 what hw/arith/dsp48.py asks for, and nothing else; there the
// name and the widths are put in. It has the parameters that are set there, so that Verilator refuses any other; pins
// that matter only with others are taken and not read. Synthesis and other simulators have the vendor's.
`ifdef VERILATOR
module PRIMITIVE #(
  parameter ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1, INMODEREG = 1, OPMODEREG = 1, AREG = 1, BREG = 1
) (
  input CLK,
  input [29:0] A, input [17:0] B, input [47:0] C, input [A_BITS-1:0] D,
  input [29:0] ACIN, input [17:0] BCIN, input [47:0] PCIN, input CARRYCASCIN, input MULTSIGNIN,
  input [MODE_BITS-1:0] OPMODE, input [3:0] ALUMODE, input [4:0] INMODE, input [2:0] CARRYINSEL, input CARRYIN,
  input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
  output [47:0] P, output [47:0] PCOUT
);
  reg signed [A_BITS-1:0] a1 = 0, a2 = 0;
  reg signed [17:0] b1 = 0, b2 = 0;
  reg signed [A_BITS+17:0] m = 0;
  reg [47:0] p = 0;
  reg [MODE_BITS-1:0] opmode_register = 0;
  wire [8:0] opmode = OPMODEREG == 1 ? opmode_register : OPMODE;  // bits 8 and 7 are zero where they are not there
  // X and Y are the two halves of the product, or zero; Z is the cascade or the sum itself; W is the sum itself
  wire [47:0] x_and_y = opmode[3:0] == 4'b0101 ? {{(30-A_BITS){m[A_BITS+17]}}, m} : 48'd0;
  wire [47:0] z = opmode[6:4] == 3'b001 ? PCIN : opmode[6:4] == 3'b010 ? p : 48'd0;
  wire [47:0] w = opmode[8:7] == 2'b01 ? p : 48'd0;

  always @(posedge CLK) begin
    if (CEA1) a1 <= A[A_BITS-1:0];
    if (CEB1) b1 <= B;
    if (CEA2) a2 <= AREG == 2 ? a1 : A[A_BITS-1:0];
    if (CEB2) b2 <= BREG == 2 ? b1 : B;
    if (CECTRL) opmode_register <= OPMODE;
    if (CEM) m <= a2 * b2;
    if (CEP) p <= w + x_and_y + z;
  end
  assign P = p;
  assign PCOUT = p;
endmodule
`endif
