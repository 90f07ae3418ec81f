// What an SDR SDRAM chip asks of whoever drives it: the rules by name, and the times by which they are judged.
#pragma once

#include <cstdint>

// Rules in the order of sim/sdram/chip.py.
enum class SdramRule : uint32_t {
    power_up,          // a command, or bytes not masked, before the clock was stable for long enough
    order,             // a row is opened before PRECHARGE, AUTO REFRESH and LOAD MODE REGISTER
    mode,              // a mode register that no chip has, or a latency too short for the clock
    clock_enable,      // CKE falls
    t_mrd,
    t_rfc,
    t_rc,
    t_ras,
    t_ras_max,
    t_rp,
    t_rcd,
    t_rrd,
    t_wr,
    open_bank,         // ACTIVATE, AUTO REFRESH or LOAD MODE REGISTER where a row is open
    closed_bank,       // READ or WRITE where none is
    auto_precharge,    // A10 with READ or WRITE: not modelled
    unknown_command,   // BURST TERMINATE, or what is none
    bus_conflict,      // both drive dq
    bus_turn,          // dq is driven in the cycle behind the chip's own words
    bus_floats,        // nobody drives dq when a word is written
    refresh,           // a row was left longer than the refresh window
    COUNT
};

// In ps, the window and the power-up too; of IS42S16160G-7, W9825G6KH-6 and AS4C16M16SA-7 what none goes below.
struct SdramTimes {
    uint64_t t_rcd = 21'000, t_rp = 21'000, t_ras = 45'000, t_ras_max = 100'000'000, t_rc = 65'000, t_rfc = 70'000,
             t_rrd = 14'000, t_wr = 14'000;
    uint64_t mrd_cycles = 2, wr_cycles = 2, rrd_cycles = 2;
    uint64_t cas_2 = 10'000;  // the shortest cycle at CAS latency 2
    uint64_t power_up = 200'000'000, refreshes = 8;  // before the first row is opened
    uint64_t window = 64'000'000'000;                // within which each row is refreshed
    uint64_t forgets = 0;  // 1: a row that was left too long has noise in it
};
