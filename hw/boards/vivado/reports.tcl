# Reports of the open, routed design, into the folder implementation. What is looked for first: whether the memories are
# those that were asked for, which nets have many loads, and the worst paths.

set reports $folder/implementation
file mkdir $reports
report_utilization -file $reports/utilization.rpt
report_utilization -hierarchical -file $reports/utilization_by_unit.rpt
report_ram_utilization -file $reports/memories.rpt
report_timing_summary -file $reports/timing.rpt
report_timing -max_paths 100 -nworst 1 -unique_pins -sort_by slack -file $reports/worst_paths.rpt
report_high_fanout_nets -max_nets 100 -fanout_greater_than 256 -load_types -file $reports/fanout.rpt
report_methodology -file $reports/methodology.rpt
report_power -file $reports/power.rpt
