# Builds the KV260's bitstream from a folder that hw.build wrote:
#
#   cd DIR && vivado -mode batch -source build_kv260.tcl [-tclargs JOBS]
#
# Leaves tritloom.bit and tritloom.hwh there, beside accel.json; nothing if timing is not met.

set board kv260
set part xck26-sfvc784-2LV-c
set board_part *:kv260_som:*
source [file normalize [file dirname [info script]]]/implement.tcl
