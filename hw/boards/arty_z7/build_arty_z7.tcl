# Builds the Arty Z7-20's bitstream from a folder that hw.build wrote:
#
#   cd DIR && vivado -mode batch -source build_arty_z7.tcl [-tclargs JOBS]
#
# Leaves tritloom.bit and tritloom.hwh there, beside accel.json; nothing if timing is not met.

set board arty_z7
set part xc7z020clg400-1
set board_part *:arty-z7-20:*
source [file normalize [file dirname [info script]]]/implement.tcl
