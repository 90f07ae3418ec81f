// Figures of a DDR4 channel and of the way to it, in the order of sim/ddr_parameters.py, which has their values.
#pragma once

#include <cstdint>

using Time = uint64_t;  // sixteenths of a nanosecond: memory clocks and common clocks of the fabric are whole numbers

constexpr Time NANOSECOND = 16;
constexpr uint32_t LINE_BYTES = 64;

struct DdrParameters {
    // From one command to another.
    Time line, line_same_group;                    // column commands, in one bank group
    Time precharge, activate;                      // of a row change
    Time row_open, row_cycle;                      // from activate: to the bank's precharge, to its next activate
    Time activate_to_activate, four_activates;
    Time row_commands;                             // a row change keeps column commands away for so long
    Time read_to_precharge, write_to_precharge;
    Time read_to_write, write_to_read;
    Time refresh, refresh_interval;
    // Controller.
    uint64_t read_window, write_window, write_run;  // lines
    Time write_patience;
    Time request, answer, port_line;
    // A port of the fabric loses a cycle after so many beats; 0: none.
    uint64_t beats_a_pause;
    // Lines may follow each other at `limit_line` on average, `limit_burst` may be made up for; 0: no limit.
    Time limit_line, limit_burst;
};
