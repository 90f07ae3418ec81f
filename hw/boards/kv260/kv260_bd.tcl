# Block design of the KV260: processing system, reset controller, register bus, accelerator.
#
#   ps M_AXI_HPM0_FPD --> control (SmartConnect) --> tritloom s_axi        registers, 4 KiB at 0xA000_0000
#   tritloom m0_axi .. m3_axi --> ps S_AXI_HP0_FPD .. S_AXI_HP3_FPD        DDR, 128 bits each
#   ps pl_clk0 --> everything: one clock, from the IOPLL
#   ps emio_ttc0_wave_o[2] --> fan_en_b                                    the carrier's fan
#
# The data ports meet the processing system's directly: same width, same clock, bursts of at most 16 beats.

proc create_kv260_design {accelerator clock_mhz} {
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
        CONFIG.PSU__TTC0__PERIPHERAL__ENABLE 1 \
        CONFIG.PSU__TTC0__WAVEOUT__ENABLE 1 \
        CONFIG.PSU__TTC0__WAVEOUT__IO EMIO \
    ] $ps

    add_accelerator $accelerator pl_clk0 {
        maxihpm0_fpd_aclk saxihp0_fpd_aclk saxihp1_fpd_aclk saxihp2_fpd_aclk saxihp3_fpd_aclk
    } pl_resetn0 pl_ps_irq0 M_AXI_HPM0_FPD 0xA0000000

    # data: both halves of the DDR (2 GiB below 4 GiB, 2 GiB from 32 GiB on), nothing else
    foreach {port group} {0 SAXIGP2 1 SAXIGP3 2 SAXIGP4 3 SAXIGP5} {
        set prefix $group/HP${port}_
        add_data_port m${port}_axi S_AXI_HP${port}_FPD \
            [list ${prefix}DDR_LOW ${prefix}DDR_HIGH] [list ${prefix}LPS_OCM ${prefix}QSPI]
    }

    # Linux drives the fan by the third wave of timer 0 (pwm-fan of the board's device tree); in the carrier's own
    # design that is wired in the fabric, so it must be here. A timer that stands still is low: full speed.
    create_bd_port -dir O fan_en_b
    set fan [create_bd_cell -type ip -vlnv xilinx.com:ip:xlslice fan]
    set_property -dict [list CONFIG.DIN_WIDTH 3 CONFIG.DIN_FROM 2 CONFIG.DIN_TO 2] $fan
    connect_bd_net [get_bd_pins ps/emio_ttc0_wave_o] [get_bd_pins fan/Din]
    connect_bd_net [get_bd_pins fan/Dout] [get_bd_ports fan_en_b]
}
