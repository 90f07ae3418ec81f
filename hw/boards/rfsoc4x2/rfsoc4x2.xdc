# RFSoC 4x2. The design has no pins of its own: clock, reset and memory come through the processing system, and the
# clock's constraint with it. In none of the board's published constraints is a fan.

set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
