# Block design of the KV260: processing system, reset controller, register bus, accelerator.
#
#   ps M_AXI_HPM0_FPD --> control (SmartConnect) --> tritloom s_axi        registers, 4 KiB at 0xA000_0000
#   tritloom m0_axi .. m3_axi --> ps S_AXI_HP0_FPD .. S_AXI_HP3_FPD        DDR, 128 bits each
#   ps pl_clk0 --> everything: one clock, from the IOPLL
#
# The data ports meet the processing system's directly: same width, same clock, bursts of at most 16 beats.

proc create_kv260_design {clock_mhz} {
    # The board's preset sets up DDR, MIO and PLLs; boot firmware, not the bitstream, applies them. PYNQ sets the
    # clock's divisors when it loads the overlay but leaves its source as it was, which it takes to be the IOPLL.
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} $ps
    set_property -dict [list \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz \
        CONFIG.PSU__USE__IRQ0 1 \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH 128 \
        CONFIG.PSU__USE__S_AXI_GP3 1 \
        CONFIG.PSU__SAXIGP3__DATA_WIDTH 128 \
        CONFIG.PSU__USE__S_AXI_GP4 1 \
        CONFIG.PSU__SAXIGP4__DATA_WIDTH 128 \
        CONFIG.PSU__USE__S_AXI_GP5 1 \
        CONFIG.PSU__SAXIGP5__DATA_WIDTH 128 \
    ] $ps

    add_accelerator pl_clk0 {
        maxihpm0_fpd_aclk saxihp0_fpd_aclk saxihp1_fpd_aclk saxihp2_fpd_aclk saxihp3_fpd_aclk
    } pl_resetn0 pl_ps_irq0 M_AXI_HPM0_FPD 0xA0000000

    # data: both halves of the DDR (2 GiB below 4 GiB, 2 GiB from 32 GiB on), nothing else
    foreach {port group} {0 SAXIGP2 1 SAXIGP3 2 SAXIGP4 3 SAXIGP5} {
        connect_bd_intf_net [get_bd_intf_pins tritloom/m${port}_axi] [get_bd_intf_pins ps/S_AXI_HP${port}_FPD]
        set space [get_bd_addr_spaces tritloom/m${port}_axi]
        foreach segment {DDR_LOW DDR_HIGH} {
            assign_bd_address -target_address_space $space [get_bd_addr_segs ps/$group/HP${port}_$segment]
        }
        foreach segment {LPS_OCM QSPI} {
            exclude_bd_addr_seg -target_address_space $space [get_bd_addr_segs ps/$group/HP${port}_$segment]
        }
    }
}
