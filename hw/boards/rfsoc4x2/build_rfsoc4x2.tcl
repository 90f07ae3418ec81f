# Builds the RFSoC 4x2's bitstream from a folder that hw.build wrote:
#
#   cd DIR && vivado -mode batch -source build_rfsoc4x2.tcl [-tclargs [ip] [project] [JOBS]]
#
# Needs RealDigital's board files (RFSoC4x2-BSP, board_files), as board.repoPaths; the ZU48DR is not in Vivado's free
# edition. Leaves tritloom.bit, tritloom.hwh and tritloom.xsa there, beside accel.json, into which it writes how they
# were made; none of them if timing is not met. Reports are left in the folder implementation either way. ip, project:
# see implement.tcl.

set board rfsoc4x2
set part xczu48dr-ffvg1517-2-e
set board_part *:rfsoc4x2:*
source [file normalize [file dirname [info script]]]/implement.tcl
