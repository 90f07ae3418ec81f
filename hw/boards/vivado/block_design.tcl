# What the block designs of all boards have beside the processing system, the cell ps: reset controller, register bus,
# accelerator. The cell's name, tritloom, is what the runtime looks for in the hardware description.

# Pins and interfaces are those of ps. accelerator: what create_bd_cell makes the accelerator's cell of; clock: drives
# everything, clocked: also these; reset, interrupt; registers: the interface of the register bus; offset: where the
# registers lie.
proc add_accelerator {accelerator clock clocked reset interrupt registers offset} {
    set ::clock_pin ps/$clock
    create_bd_cell {*}$accelerator tritloom
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
    set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 1] $control

    foreach pin $clocked {
        connect_bd_net [get_bd_pins ps/$clock] [get_bd_pins ps/$pin]
    }
    foreach pin {reset/slowest_sync_clk control/aclk tritloom/aclk} {
        connect_bd_net [get_bd_pins ps/$clock] [get_bd_pins $pin]
    }
    connect_bd_net [get_bd_pins ps/$reset] [get_bd_pins reset/ext_reset_in]
    connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins control/aresetn]
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins tritloom/aresetn]
    connect_bd_net [get_bd_pins tritloom/irq] [get_bd_pins ps/$interrupt]

    connect_bd_intf_net [get_bd_intf_pins ps/$registers] [get_bd_intf_pins control/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins tritloom/s_axi]
    assign_bd_address -offset $offset -range 4K \
        -target_address_space [get_bd_addr_spaces ps/Data] [get_bd_addr_segs tritloom/s_axi/reg0]
}

# Joins the accelerator's data port to an interface of ps. segments: of ps, that it must reach, as memory may come from
# each; others: that it must not, where the board's preset has them.
proc add_data_port {port interface segments others} {
    connect_bd_intf_net [get_bd_intf_pins tritloom/$port] [get_bd_intf_pins ps/$interface]
    set space [get_bd_addr_spaces tritloom/$port]
    foreach segment $segments {
        set found [get_bd_addr_segs -quiet ps/$segment]
        if {$found eq ""} {
            error "the processing system has no memory ps/$segment: its preset is another board's"
        }
        assign_bd_address -target_address_space $space $found
    }
    foreach segment $others {
        set found [get_bd_addr_segs -quiet ps/$segment]
        if {$found ne ""} {
            exclude_bd_addr_seg -target_address_space $space $found
        }
    }
}

# MHz that the processing system gives the accelerator's clock. An error where that is not the build's: a clock generator takes
# the next slower frequency that it has, without a word.
proc checked_clock {clock_mhz} {
    set mhz [expr {[get_property CONFIG.FREQ_HZ [get_bd_pins $::clock_pin]] / 1e6}]
    if {abs($mhz - $clock_mhz) > 0.01 * $clock_mhz} {
        error "the processing system's clock is $mhz MHz, but the build is for $clock_mhz MHz"
    }
    return $mhz
}
