# From a board's script, which sets board, part and board_part (a pattern), to the bitstream. Beside it lie $board.xdc
# and ${board}_bd.tcl, with a procedure create_${board}_design {clock_mhz} for the cells of an empty block design.

set folder [file normalize [file dirname [info script]]]
set jobs [expr {$argc > 0 ? [lindex $argv 0] : 2}]
set design tritloom_system

foreach name "accel.json block_design.tcl check_timing.tcl $board.xdc ${board}_bd.tcl tritloom.v tritloom_axi.v" {
    if {![file exists $folder/$name]} {
        error "$folder/$name is missing: run this script in a folder written by hw.build"
    }
}
set file [open $folder/accel.json]
if {![regexp {"clock_mhz": *([0-9.]+)} [read $file] all clock_mhz]} {
    error "$folder/accel.json names no clock_mhz"
}
close $file

create_project -force tritloom $folder/vivado -part $part
set_property board_part [get_board_parts $board_part -latest_file_version] [current_project]
add_files -norecurse [list $folder/tritloom.v $folder/tritloom_axi.v]
add_files -norecurse -fileset constrs_1 $folder/$board.xdc
update_compile_order -fileset sources_1

source $folder/block_design.tcl
source $folder/${board}_bd.tcl
create_bd_design $design
create_${board}_design $clock_mhz
validate_bd_design
save_bd_design
set bd [get_files $design.bd]
make_wrapper -files $bd -top -import
set_property top ${design}_wrapper [current_fileset]
generate_target all $bd
update_compile_order -fileset sources_1

set_property strategy Performance_Explore [get_runs impl_1]
launch_runs impl_1 -to_step write_bitstream -jobs $jobs
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation stopped at: [get_property STATUS [get_runs impl_1]]"
}

source $folder/check_timing.tcl
file copy -force $folder/vivado/tritloom.runs/impl_1/${design}_wrapper.bit $folder/tritloom.bit
file copy -force $folder/vivado/tritloom.gen/sources_1/bd/$design/hw_handoff/$design.hwh $folder/tritloom.hwh
