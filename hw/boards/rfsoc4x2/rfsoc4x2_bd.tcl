# Block design of the RFSoC 4x2: that of zynq_ultrascale.tcl. RealDigital's preset has a second interrupt, for which
# nothing asks. The DDR4 of the fabric and the converters are left alone.

source $folder/zynq_ultrascale.tcl

proc create_rfsoc4x2_design {accelerator clock_mhz} {
    create_zynq_ultrascale_design $accelerator $clock_mhz {CONFIG.PSU__USE__IRQ1 0}
}
