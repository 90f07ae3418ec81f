# Writes into accel.json how the bitstream beside it was made, as the object "vivado": the tool's version, the part, the
# clock that the processing system really gives, and the slack of the worst paths in ns. There, and not in a file of its
# own: the runtime reads accel.json anyway, and takes it and the bitstream together or not at all.

set file [open $folder/accel.json]
set text [read $file]
close $file
set run [get_runs impl_1]
set packed [expr {$packaged ? "true" : "false"}]
set record [join [list \
    "\"version\": \"[version -short]\"" \
    "\"part\": \"$part\"" \
    "\"packaged_ip\": $packed" \
    "\"clock_mhz\": $given_mhz" \
    "\"setup_slack_ns\": [get_property STATS.WNS $run]" \
    "\"hold_slack_ns\": [get_property STATS.WHS $run]" \
] ",\n  "]
regsub {,\s*"vivado": \{[^\}]*\}} $text "" text
set end [string last \} $text]
if {$end < 0} {
    error "$folder/accel.json is no JSON object"
}
set text [string trimright [string range $text 0 [expr {$end - 1}]]]
append text ",\n \"vivado\": \{\n  $record\n \}\n\}\n"
# whole or not at all
set file [open $folder/accel.json.new w]
puts -nonewline $file $text
close $file
file rename -force $folder/accel.json.new $folder/accel.json
