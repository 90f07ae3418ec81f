// A DDR4-2133 channel, 64 bits wide: when a line of 64 bytes can be transferred, and what that closes and opens.
//
// Two bank groups of four banks with one open row each. Times are in sixteenths of a nanosecond, so that the memory's
// clock and common clocks of the fabric are whole numbers. docs/memory-model.md says where each figure comes from.
#pragma once

#include <algorithm>
#include <cstdint>

using Time = uint64_t;

constexpr Time NANOSECOND = 16;
constexpr uint32_t LINE_BYTES = 64;

// What the memory has done; sim/memory_counters.py names these fields in this order.
struct DramCounters {
    uint64_t lines_read = 0, lines_written = 0, rows_opened = 0, turnarounds = 0, refreshes = 0;
};

class Dram {
    static constexpr Time CLOCK = 15;  // 1066.67 MHz
    static constexpr Time LINE = 4 * CLOCK, LINE_SAME_GROUP = 6 * CLOCK;  // column command to column command
    static constexpr Time SCHEDULING = 16 * NANOSECOND;  // fitted: added to either half of a row change
    static constexpr Time PRECHARGE = 16 * CLOCK + SCHEDULING, ACTIVATE = 16 * CLOCK + SCHEDULING;
    static constexpr Time ROW_OPEN = 36 * CLOCK, ROW_CYCLE = 51 * CLOCK;
    static constexpr Time ACTIVATE_TO_ACTIVATE = 6 * CLOCK, FOUR_ACTIVATES = 32 * CLOCK;
    static constexpr Time READ_TO_PRECHARGE = 8 * CLOCK, WRITE_TO_PRECHARGE = 36 * CLOCK;
    static constexpr Time READ_TO_WRITE = 8 * CLOCK, WRITE_TO_READ = 28 * CLOCK;
    static constexpr Time REFRESH = 350 * NANOSECOND;

  public:
    static constexpr Time REFRESH_INTERVAL = 7800 * NANOSECOND;
    static constexpr uint32_t BANKS = 8;

    struct Place {
        uint32_t bank;
        uint64_t row;
    };

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
        if (bank.open) at = std::max(at, std::max(now, bank.next_precharge) + PRECHARGE);
        at = std::max(at, std::max(m_last_activate + ACTIVATE_TO_ACTIVATE, m_activates[m_oldest] + FOUR_ACTIVATES));
        m_last_activate = m_activates[m_oldest] = at;
        m_oldest = (m_oldest + 1) % 4;
        bank = {true, place.row, at + ACTIVATE, at + ROW_OPEN, at + ROW_CYCLE};
        ++counters.rows_opened;
    }

    // When the column command of a line in an open row can be given.
    Time earliest(const Place &place, bool write, Time now) const {
        const Time bus = std::max(m_next, m_next_in_group[place.bank & 1]);
        const Time turned = write ? m_next_write : m_next_read;
        return std::max(std::max(now, m_banks[place.bank].next_column), std::max(bus, turned));
    }

    void transfer(const Place &place, bool write, Time at) {
        Bank &bank = m_banks[place.bank];
        m_next = at + LINE;
        m_next_in_group[place.bank & 1] = at + LINE_SAME_GROUP;
        bank.next_precharge = std::max(bank.next_precharge, at + (write ? WRITE_TO_PRECHARGE : READ_TO_PRECHARGE));
        (write ? m_next_read : m_next_write) = at + (write ? WRITE_TO_READ : READ_TO_WRITE);
        if (write != m_writing) ++counters.turnarounds;
        m_writing = write;
        ++(write ? counters.lines_written : counters.lines_read);
    }

    // Close every bank and refresh; the time when it is over.
    Time refresh(Time now) {
        Time begin = now;
        for (const Bank &bank : m_banks)
            if (bank.open) begin = std::max(begin, bank.next_precharge + PRECHARGE);
        for (Bank &bank : m_banks) {
            bank.open = false;
            bank.next_activate = std::max(bank.next_activate, begin + REFRESH);
        }
        ++counters.refreshes;
        return begin + REFRESH;
    }

  private:
    struct Bank {
        bool open = false;
        uint64_t row = 0;
        Time next_column = 0, next_precharge = 0, next_activate = 0;
    };

    Bank m_banks[BANKS];
    Time m_next = 0, m_next_in_group[2] = {0, 0};  // the next column command
    Time m_next_read = 0, m_next_write = 0;        // after the bus has turned
    Time m_last_activate = 0, m_activates[4] = {0, 0, 0, 0};
    uint32_t m_oldest = 0;  // of the last four activates
    bool m_writing = false;
};
