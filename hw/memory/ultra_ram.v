// tritloom_ultra_ram: a memory of two ports with the registers that UltraRAM has, of which port A also writes. Each port
// has a block of its own and port A keeps its output while it writes, as UG901 has it for UltraRAM in true dual port.
module tritloom_ultra_ram #(parameter WIDTH = 1, DEPTH = 1, ADDRESS_BITS = 1) (
  input clk,
  input a_write, input [ADDRESS_BITS-1:0] a_address, input [WIDTH-1:0] a_data, output reg [WIDTH-1:0] a_word,
  input [ADDRESS_BITS-1:0] b_address, output reg [WIDTH-1:0] b_word
);
  (* ram_style = "ultra" *)
  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [WIDTH-1:0] a_read, b_read;

  always @(posedge clk)
    if (a_write) words[a_address] <= a_data;
    else a_read <= words[a_address];

  always @(posedge clk)
    b_read <= words[b_address];

  always @(posedge clk) begin
    a_word <= a_read;
    b_word <= b_read;
  end
endmodule
