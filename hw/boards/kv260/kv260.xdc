# KV260. The design has no pins of its own: clock, reset and memory come through the processing system, and the
# clock's constraint with it. The carrier's fan is left as the unconfigured pin leaves it.

set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
