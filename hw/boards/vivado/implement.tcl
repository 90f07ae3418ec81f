# From a board's script, which sets board, part and board_part (a pattern), to the bitstream. Beside it lie $board.xdc
# and ${board}_bd.tcl, with a procedure create_${board}_design {accelerator clock_mhz} for the cells of an empty block
# design. Arguments, in any order:
#
#   ip        take the accelerator as the packaged IP of the folder ip, not as a module reference
#   project   stop before the implementation, at a project to be opened
#   NUMBER    jobs at a time, 2 unless told otherwise

set folder [file normalize [file dirname [info script]]]
set jobs 2
set packaged 0
set only_project 0
foreach argument $argv {
    switch -glob -- $argument {
        ip {set packaged 1}
        project {set only_project 1}
        [1-9] - [1-9][0-9] {set jobs $argument}
        default {error "unknown argument $argument: known are ip, project and a number of jobs"}
    }
}
set design tritloom_system

set needed "accel.json block_design.tcl check_timing.tcl record.tcl reports.tcl $board.xdc ${board}_bd.tcl"
foreach name [concat $needed [expr {$packaged ? "ip/component.xml" : "tritloom.v tritloom_axi.v"}]] {
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
if {$packaged} {
    set_property ip_repo_paths $folder/ip [current_project]
    update_ip_catalog
    set accelerator {-type ip -vlnv tritloom:tritloom:tritloom_axi}
} else {
    add_files -norecurse [list $folder/tritloom.v $folder/tritloom_axi.v]
    set accelerator {-type module -reference tritloom_axi}
}
add_files -norecurse -fileset constrs_1 $folder/$board.xdc
update_compile_order -fileset sources_1

source $folder/block_design.tcl
source $folder/${board}_bd.tcl
create_bd_design $design
create_${board}_design $accelerator $clock_mhz
validate_bd_design
set given_mhz [checked_clock $clock_mhz]
save_bd_design
set bd [get_files $design.bd]
make_wrapper -files $bd -top -import
set_property top ${design}_wrapper [current_fileset]
generate_target all $bd
update_compile_order -fileset sources_1
set_property strategy Performance_Explore [get_runs impl_1]
if {$only_project} {
    puts "Project: $folder/vivado/tritloom.xpr"
    return
}

# What an earlier run left is of another design by now.
file delete $folder/tritloom.bit $folder/tritloom.hwh $folder/tritloom.xsa
launch_runs impl_1 -to_step write_bitstream -jobs $jobs
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation stopped at: [get_property STATUS [get_runs impl_1]]"
}

# The reports come before the timing's check: where that fails they say why.
open_run impl_1
source $folder/reports.tcl
source $folder/check_timing.tcl
file copy -force $folder/vivado/tritloom.runs/impl_1/${design}_wrapper.bit $folder/tritloom.bit
file copy -force $folder/vivado/tritloom.gen/sources_1/bd/$design/hw_handoff/$design.hwh $folder/tritloom.hwh
write_hw_platform -fixed -include_bit -force -file $folder/tritloom.xsa
source $folder/record.tcl
