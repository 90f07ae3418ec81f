// DSP48E2 for Verilator: of UG579's block what hw/arith/dsp48.py asks for, and nothing else. It has the parameters that
// are set there, so that Verilator refuses any other; pins that matter only with others are taken and not read.
// Synthesis and other simulators have the vendor's.
`ifdef VERILATOR
module DSP48E2 #(
  parameter ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1, INMODEREG = 1, OPMODEREG = 1
) (
  input CLK,
  input [29:0] A, input [17:0] B, input [47:0] C, input [26:0] D,
  input [29:0] ACIN, input [17:0] BCIN, input [47:0] PCIN, input CARRYCASCIN, input MULTSIGNIN,
  input [8:0] OPMODE, input [3:0] ALUMODE, input [4:0] INMODE, input [2:0] CARRYINSEL, input CARRYIN,
  input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
  output [47:0] P, output [47:0] PCOUT
);
  reg signed [26:0] a = 0;
  reg signed [17:0] b = 0;
  reg signed [44:0] m = 0;
  reg [47:0] p = 0;
  reg [8:0] opmode_register = 0;
  wire [8:0] opmode = OPMODEREG == 1 ? opmode_register : OPMODE;
  // X and Y are the two halves of the product, or zero; Z is the cascade; W is the sum itself
  wire [47:0] x_and_y = opmode[3:0] == 4'b0101 ? {{3{m[44]}}, m} : 48'd0;
  wire [47:0] z = opmode[6:4] == 3'b001 ? PCIN : 48'd0;
  wire [47:0] w = opmode[8:7] == 2'b01 ? p : 48'd0;

  always @(posedge CLK) begin
    if (CEA2) a <= A[26:0];
    if (CEB2) b <= B;
    if (CECTRL) opmode_register <= OPMODE;
    if (CEM) m <= a * b;
    if (CEP) p <= w + x_and_y + z;
  end
  assign P = p;
  assign PCOUT = p;
endmodule
`endif
