# Vivado's commands for tclsh: each call is written to a log, its words parted by 0x1F, and answered plausibly.
#
#   tclsh vivado_stub.tcl LOG SCRIPT [ARGUMENT ...]
#
# Unknown commands end the script with an error, as they would in Vivado. In the environment: PROGRESS and TIMING say
# how the implementation ends, CLOCK_HZ what the processing system gives, MISSING (a pattern) which address segments
# there are not.

set log [open [lindex $argv 0] w]
set script [lindex $argv 1]
set argv [lrange $argv 2 end]
set argc [llength $argv]

proc stub {name answer} {
    proc $name args "puts \$::log \[join \[concat \[list $name\] \$args\] \\x1f\]; flush \$::log; $answer"
}

# objects are their own names
foreach name {
    get_bd_pins get_bd_intf_pins get_bd_ports get_bd_addr_spaces get_files get_ports get_runs
} {
    stub $name {return [lindex $args end]}
}
foreach name {
    add_files apply_bd_automation assign_bd_address connect_bd_intf_net connect_bd_net create_bd_design create_bd_port
    exclude_bd_addr_seg launch_runs make_wrapper open_run save_bd_design set_property update_compile_order
    update_ip_catalog validate_bd_design
} {
    stub $name {}
}
stub get_bd_addr_segs {
    set name [lindex $args end]
    if {[string match $::env(MISSING) $name]} {
        return [expr {[lindex $args 0] eq "-quiet" ? "" : [error "no segment $name"]}]
    }
    return $name
}
stub create_bd_cell {return /[lindex $args end]}
stub create_project {set ::project [lindex $args 2]}
stub current_project {return tritloom}
stub current_fileset {return sources_1}
stub current_design {return tritloom_system_wrapper}
stub get_board_parts {return xilinx.com:kv260_som:part0:1.4}
stub version {return 2024.1}
stub get_property {
    switch [lindex $args 0] {
        PROGRESS {return $::env(PROGRESS)}
        STATUS {return "write_bitstream ERROR"}
        CONFIG.FREQ_HZ {return $::env(CLOCK_HZ)}
        STATS.WNS {return 0.018}
        STATS.WHS {return 0.010}
        default {error "no property [lindex $args 0]"}
    }
}
stub generate_target {
    set folder $::project/tritloom.gen/sources_1/bd/tritloom_system/hw_handoff
    file mkdir $folder
    close [open $folder/tritloom_system.hwh w]
}
stub wait_on_run {
    set folder $::project/tritloom.runs/impl_1
    file mkdir $folder
    close [open $folder/tritloom_system_wrapper.bit w]
    set report [open $folder/tritloom_system_wrapper_timing_summary_routed.rpt w]
    puts $report "| Design Timing Summary\n\n$::env(TIMING)"
    close $report
}
# what writes the file named behind -file
foreach name {
    report_high_fanout_nets report_methodology report_power report_ram_utilization report_timing report_timing_summary
    report_utilization write_hw_platform
} {
    stub $name {close [open [lindex $args [expr {[lsearch $args -file] + 1}]] w]}
}

source $script
