// A DDR4-2133 channel, 64 bits wide: when a line of 64 bytes can be transferred, and what that closes and opens.
//
// Two bank groups of four banks with one open row each. sim/ddr_parameters.py says where each figure comes from.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ddr_parameters.h"

// What the memory has done; sim/memory_counters.py names these fields in this order.
struct DramCounters {
    uint64_t lines_read = 0, lines_written = 0, rows_opened = 0, turnarounds = 0, refreshes = 0;
};

class Dram {
  public:
    static constexpr uint32_t BANKS = 8;

    struct Place {
        uint32_t bank;
        uint64_t row;
    };

    DdrParameters parameters{};
    DramCounters counters;

    // Bit 6 is the bank group, bits 7 to 13 the column, 14 and 15 the bank, the rest the row.
    static Place place(uint64_t address) {
        return {static_cast<uint32_t>((address >> 6 & 1) | (address >> 14 & 3) << 1), address >> 16};
    }

    bool is_open(const Place &place) const {
        return m_banks[place.bank].open && m_banks[place.bank].row == place.row;
    }

    // Begin to change the bank's row.
    void open(const Place &place, Time now) {
        Bank &bank = m_banks[place.bank];
        Time at = std::max(now, bank.next_activate);
        if (bank.open) at = std::max(at, std::max(now, bank.next_precharge) + parameters.precharge);
        at = std::max(at, std::max(m_last_activate + parameters.activate_to_activate,
                                   m_activates[m_oldest] + parameters.four_activates));
        m_last_activate = m_activates[m_oldest] = at;
        m_oldest = (m_oldest + 1) % 4;
        bank = {true, place.row, at + parameters.activate, at + parameters.row_open, at + parameters.row_cycle};
        m_next += parameters.row_commands;
        ++counters.rows_opened;
    }

    // When the column command of a line in an open row can be given.
    Time earliest(const Place &place, bool write, Time now) const {
        const Time bus = std::max(std::max(m_next, m_next_in_group[place.bank & 1]), m_limited);
        const Time turned = write ? m_next_write : m_next_read;
        return std::max(std::max(now, m_banks[place.bank].next_column), std::max(bus, turned));
    }

    void transfer(const Place &place, bool write, Time at) {
        Bank &bank = m_banks[place.bank];
        m_next = at + parameters.line;
        m_limited = std::max(m_limited + parameters.limit_burst, at) - parameters.limit_burst + parameters.limit_line;
        m_next_in_group[place.bank & 1] = at + parameters.line_same_group;
        bank.next_precharge = std::max(bank.next_precharge,
                                       at + (write ? parameters.write_to_precharge : parameters.read_to_precharge));
        (write ? m_next_read : m_next_write) = at + (write ? parameters.write_to_read : parameters.read_to_write);
        if (write != m_writing) ++counters.turnarounds;
        m_writing = write;
        ++(write ? counters.lines_written : counters.lines_read);
    }

    // Close every bank and refresh; the time when it is over.
    Time refresh(Time now) {
        Time begin = now;
        for (const Bank &bank : m_banks)
            if (bank.open) begin = std::max(begin, bank.next_precharge + parameters.precharge);
        for (Bank &bank : m_banks) {
            bank.open = false;
            bank.next_activate = std::max(bank.next_activate, begin + parameters.refresh);
        }
        ++counters.refreshes;
        return begin + parameters.refresh;
    }

  private:
    struct Bank {
        bool open = false;
        uint64_t row = 0;
        Time next_column = 0, next_precharge = 0, next_activate = 0;
    };

    Bank m_banks[BANKS];
    Time m_next = 0, m_next_in_group[2] = {0, 0};  // the next column command
    Time m_limited = 0;                            // and the same by the limit
    Time m_next_read = 0, m_next_write = 0;        // after the bus has turned
    Time m_last_activate = 0, m_activates[4] = {0, 0, 0, 0};
    uint32_t m_oldest = 0;  // of the last four activates
    bool m_writing = false;
};
