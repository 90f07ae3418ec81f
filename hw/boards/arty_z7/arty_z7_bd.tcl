# Block design of the Arty Z7-20: processing system, reset controller, register bus, accelerator.
#
#   ps M_AXI_GP0 --> control (SmartConnect) --> tritloom s_axi             registers, 4 KiB at 0x43C0_0000
#   tritloom m0_axi --> ps S_AXI_HP0                                       DDR, 64 bits
#   ps FCLK_CLK0 --> everything: one clock
#
# The data port meets the processing system's directly: same width, same clock, AXI3, bursts of at most 16 beats.

proc create_arty_z7_design {accelerator clock_mhz} {
    # Digilent's preset sets up DDR, MIO and PLLs.
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps]
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
        -config {make_external "FIXED_IO, DDR" apply_board_preset 1 Master Disable Slave Disable} $ps
    set_property -dict [list \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1 \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \
    ] $ps

    add_accelerator $accelerator FCLK_CLK0 {M_AXI_GP0_ACLK S_AXI_HP0_ACLK} FCLK_RESET0_N IRQ_F2P M_AXI_GP0 0x43C00000

    # data: all of the DDR
    add_data_port m0_axi S_AXI_HP0 S_AXI_HP0/HP0_DDR_LOWOCM {}
}
