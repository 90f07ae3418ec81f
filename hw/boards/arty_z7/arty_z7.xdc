# Arty Z7-20. The design has no pins of its own: clock, reset and memory come through the processing system, and the
# clock's constraint with it.

set_property BITSTREAM.CONFIG.OVERTEMPPOWERDOWN ENABLE [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
