# Builds the KV260's bitstream from a folder that hw.build wrote:
#
#   cd DIR && vivado -mode batch -source build_kv260.tcl [-tclargs [ip] [project] [JOBS]]
#
# Leaves tritloom.bit, tritloom.hwh and tritloom.xsa there, beside accel.json, into which it writes how they were made;
# none of them if timing is not met. Reports are left in the folder implementation either way. ip, project: see
# implement.tcl.

set board kv260
set part xck26-sfvc784-2LV-c
set board_part *:kv260_som:*
source [file normalize [file dirname [info script]]]/implement.tcl
