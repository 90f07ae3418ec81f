# Builds the Arty Z7-20's bitstream from a folder that hw.build wrote:
#
#   cd DIR && vivado -mode batch -source build_arty_z7.tcl [-tclargs [ip] [project] [JOBS]]
#
# Leaves tritloom.bit, tritloom.hwh and tritloom.xsa there, beside accel.json, into which it writes how they were made;
# none of them if timing is not met. Reports are left in the folder implementation either way. ip, project: see
# implement.tcl.

set board arty_z7
set part xc7z020clg400-1
set board_part *:arty-z7-20:*
source [file normalize [file dirname [info script]]]/implement.tcl
