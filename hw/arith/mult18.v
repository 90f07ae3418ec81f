// MULT18X18D for Verilator: of the multiplier of Lattice's TN1267 what hw/arith/mult18.py asks for, and nothing else.
// It has the parameters that are set there, so that Verilator refuses any other. Synthesis has the vendor's.
`ifdef VERILATOR
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_OUTPUT_CLK = "NONE", GSR = "ENABLED"
) (
  input CLK0, CE0, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22, P23,
  P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
  wire [17:0] a_given =
    {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b_given =
    {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  reg [17:0] a_register = 0, b_register = 0;
  reg [35:0] product = 0;
  wire [17:0] a = REG_INPUTA_CLK == "CLK0" ? a_register : a_given;
  wire [17:0] b = REG_INPUTB_CLK == "CLK0" ? b_register : b_given;
  wire signed [35:0] a_wide = {{18{SIGNEDA & a[17]}}, a};
  wire signed [35:0] b_wide = {{18{SIGNEDB & b[17]}}, b};

  always @(posedge CLK0) if (CE0) begin
    a_register <= a_given;
    b_register <= b_given;
    product <= a_wide * b_wide;
  end
  assign
    {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
    P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = product;
endmodule
`endif
