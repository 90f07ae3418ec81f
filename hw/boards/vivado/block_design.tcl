# What the block designs of all boards have beside the processing system, the cell ps: reset controller, register bus,
# accelerator. The cell's name, tritloom, is what the runtime looks for in the hardware description.

# Pins and interfaces are those of ps. clock: drives everything, clocked: also these; reset, interrupt; registers: the
# interface of the register bus; offset: where the registers lie.
proc add_accelerator {clock clocked reset interrupt registers offset} {
    create_bd_cell -type module -reference tritloom_axi tritloom
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
