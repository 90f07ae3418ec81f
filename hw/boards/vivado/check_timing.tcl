# Ends with exit status 1 unless the routed design beside this script meets its timing. Runs in Vivado or tclsh.

set report [file dirname [info script]]/vivado/tritloom.runs/impl_1/tritloom_system_wrapper_timing_summary_routed.rpt
if {![file exists $report]} {
    puts stderr "ERROR: $report is missing: the design is not implemented"
    exit 1
}
set file [open $report]
set met [regexp -line {^All user specified timing constraints are met\.} [read $file]]
close $file
if {!$met} {
    puts stderr "ERROR: timing is not met, see $report"
    exit 1
}
puts "Timing is met."
