# The processing system of a Zynq UltraScale+ (MPSoC or RFSoC), the cell ps of a block design, and the accelerator at it:
#
#   ps M_AXI_HPM0_FPD --> control (SmartConnect) --> tritloom s_axi        registers, 4 KiB at 0xA000_0000
#   tritloom m0_axi .. m3_axi --> ps S_AXI_HP0_FPD .. S_AXI_HP3_FPD        DDR, 128 bits each
#   ps pl_clk0 --> everything: one clock, from the IOPLL
#
# The data ports meet the processing system's directly: same width, same clock, bursts of at most 16 beats.

# accelerator: what its cell is made of. settings: of ps, the board's own, beside these.
proc create_zynq_ultrascale_design {accelerator clock_mhz settings} {
    # The board's preset sets up DDR, MIO and PLLs; boot firmware, not the bitstream, applies them. PYNQ sets the
    # clock's divisors when it loads the overlay but leaves its source as it was, which it takes to be the IOPLL.
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} $ps
    # Asked for what no divisor gives, Vivado takes the next slower clock: 187.5 MHz for 214. So it is asked for what
    # the IOPLL's 1500 MHz can give: 250, 214.29 and 187.5 MHz.
    set given_mhz [expr {1500.0 / round(1500.0 / $clock_mhz)}]
    set_property -dict [list \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $given_mhz \
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
        {*}$settings \
    ] $ps

    add_accelerator $accelerator pl_clk0 {
        maxihpm0_fpd_aclk saxihp0_fpd_aclk saxihp1_fpd_aclk saxihp2_fpd_aclk saxihp3_fpd_aclk
    } pl_resetn0 pl_ps_irq0 M_AXI_HPM0_FPD 0xA0000000

    # data: both halves of the DDR (2 GiB below 4 GiB, the rest from 32 GiB on), nothing else
    foreach {port group} {0 SAXIGP2 1 SAXIGP3 2 SAXIGP4 3 SAXIGP5} {
        set prefix $group/HP${port}_
        add_data_port m${port}_axi S_AXI_HP${port}_FPD \
            [list ${prefix}DDR_LOW ${prefix}DDR_HIGH] [list ${prefix}LPS_OCM ${prefix}QSPI]
    }
}
