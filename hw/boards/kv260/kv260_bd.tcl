# Block design of the KV260: that of zynq_ultrascale.tcl, and the carrier's fan.
#
#   ps emio_ttc0_wave_o[2] --> fan_en_b

source $folder/zynq_ultrascale.tcl

proc create_kv260_design {accelerator clock_mhz} {
    create_zynq_ultrascale_design $accelerator $clock_mhz {
        CONFIG.PSU__TTC0__PERIPHERAL__ENABLE 1
        CONFIG.PSU__TTC0__WAVEOUT__ENABLE 1
        CONFIG.PSU__TTC0__WAVEOUT__IO EMIO
    }

    # Linux drives the fan by the third wave of timer 0 (pwm-fan of the board's device tree); in the carrier's own
    # design that is wired in the fabric, so it must be here. A timer that stands still is low: full speed.
    create_bd_port -dir O fan_en_b
    set fan [create_bd_cell -type ip -vlnv xilinx.com:ip:xlslice fan]
    set_property -dict [list CONFIG.DIN_WIDTH 3 CONFIG.DIN_FROM 2 CONFIG.DIN_TO 2] $fan
    connect_bd_net [get_bd_pins ps/emio_ttc0_wave_o] [get_bd_pins fan/Din]
    connect_bd_net [get_bd_pins fan/Dout] [get_bd_ports fan_en_b]
}
