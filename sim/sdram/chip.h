// An SDR SDRAM chip of 4 banks x 8,192 rows x 512 columns x 16 bits, seen from its pins, edge by edge of its clock.
//
// After JEDEC 79 and the chips' datasheets. What a rule forbids is counted (sim/sdram/rules.h) and happens all the same
// as far as it can. A burst is cut by the next column command, and by PRECHARGE of its bank.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "rules.h"

// Before a rising edge of the chip's clock; dq counts while oe, which is the controller's.
struct SdramPins {
    bool cke, cs_n, ras_n, cas_n, we_n;
    uint32_t ba, a, dqm, dq;
    bool oe;
};

class SdramChip {
  public:
    static constexpr uint32_t BANKS = 4, ROWS = 8192, COLUMNS = 512;
    static constexpr size_t BYTES = size_t{BANKS} * ROWS * COLUMNS * 2;

    struct Finding {
        uint64_t count = 0, first = 0;  // and the time of the first
    };
    struct Counts {
        uint64_t activates = 0, precharges = 0, reads = 0, writes = 0, refreshes = 0;
    };

    std::array<Finding, static_cast<size_t>(SdramRule::COUNT)> findings{};
    Counts counts;

    // bytes: the content, a row's kilobyte behind that of the same row in the bank before. Rows are fresh when power-up is
    // over, from when on they may be refreshed.
    SdramChip(uint8_t *bytes, const SdramTimes &times) : m_bytes(bytes), m_times(times) {
        for (Bank &bank : m_banks) bank.fresh.assign(ROWS, times.power_up);
    }

    // A rising edge at `now` ps. Afterwards dq() is on the bus, up to the next one, where driven(); else noise.
    void edge(const SdramPins &pins, uint64_t now) {
        m_period = now - m_now;
        m_now = now;
        ++m_edge;
        check_bus(pins);
        if (m_started && !pins.cke) found(SdramRule::clock_enable);
        m_started |= pins.cke;
        if (m_now < m_times.power_up && pins.dqm != 3) found(SdramRule::power_up);
        if (pins.cke && !pins.cs_n) command(pins);
        column_step(pins);
        m_masks = m_masks << 2 | pins.dqm;
        m_was_driven = m_driven;
        const Word &word = m_pipe[(m_edge + 1) % PIPE];
        m_driven = word.edge == m_edge + 1;
        m_noise = m_noise * 1'664'525u + 1'013'904'223u;
        m_dq = m_noise >> 16;
        if (m_driven) {
            const uint32_t masked = m_masks >> 2 & 3;  // of the edge before: two from DQM to the word's
            for (uint32_t byte = 0; byte < 2; ++byte)
                if (!(masked >> byte & 1)) m_dq = (m_dq & ~(0xFFu << 8 * byte)) | (word.value & 0xFFu << 8 * byte);
            m_driven = masked != 3;
        }
    }

    uint32_t dq() const { return m_dq; }
    bool driven() const { return m_driven; }

    // Count rows that are too old now, as none of them was touched since.
    void check_rows() {
        for (Bank &bank : m_banks)
            for (uint64_t fresh : bank.fresh)
                if (too_old(fresh)) found(SdramRule::refresh);
    }

  private:
    static constexpr uint32_t PIPE = 8;
    static constexpr uint64_t NEVER = ~uint64_t{0};

    struct Bank {
        bool open = false;
        uint32_t row = 0;
        uint64_t activated = NEVER, precharged = NEVER, written = NEVER, written_edge = NEVER;
        std::vector<uint64_t> fresh;
    };
    struct Word {
        uint64_t edge = 0;  // at which it is to be sampled
        uint32_t value = 0;
    };
    struct Burst {
        bool active = false, write = false;
        uint32_t bank = 0, row = 0, column = 0, done = 0;
    };

    void found(SdramRule rule) {
        Finding &finding = findings[static_cast<size_t>(rule)];
        if (!finding.count++) finding.first = m_now;
    }

    bool sooner(uint64_t since, uint64_t time) const { return since != NEVER && m_now - since < time; }

    bool too_old(uint64_t fresh) const { return m_now > fresh && m_now - fresh > m_times.window; }

    uint8_t *place(uint32_t bank, uint32_t row, uint32_t column) const {
        return m_bytes + (size_t{row} * BANKS + bank) * COLUMNS * 2 + column * 2;
    }

    void touch(uint32_t number, uint32_t row) {
        uint64_t &fresh = m_banks[number].fresh[row];
        if (too_old(fresh)) {
            found(SdramRule::refresh);
            if (m_times.forgets)
                for (uint32_t i = 0; i < COLUMNS * 2; ++i) {
                    m_noise = m_noise * 1'664'525u + 1'013'904'223u;
                    place(number, row, 0)[i] = static_cast<uint8_t>(m_noise >> 24);
                }
        }
        fresh = m_now;
    }

    void check_bus(const SdramPins &pins) {
        if (!pins.oe) return;
        if (m_driven) found(SdramRule::bus_conflict);
        else if (m_was_driven) found(SdramRule::bus_turn);
    }

    void command(const SdramPins &pins) {
        const uint32_t code = pins.ras_n << 2 | pins.cas_n << 1 | static_cast<uint32_t>(pins.we_n);
        if (code == 7) return;
        if (m_now < m_times.power_up) found(SdramRule::power_up);
        if (sooner(m_refreshed, m_times.t_rfc)) found(SdramRule::t_rfc);
        if (m_mode_edge && m_edge - m_mode_edge < m_times.mrd_cycles) found(SdramRule::t_mrd);
        Bank &bank = m_banks[pins.ba];
        switch (code) {
            case 0: return load_mode(pins);
            case 1: return refresh();
            case 2:
                for (uint32_t number = 0; number < BANKS; ++number)
                    if ((pins.a >> 10 & 1) || number == pins.ba) precharge(number);
                m_all_closed |= pins.a >> 10 & 1;
                ++counts.precharges;
                return;
            case 3: return activate(bank, pins);
            case 4:
            case 5: return begin(bank, pins, code == 4);
            default: found(SdramRule::unknown_command);
        }
    }

    void need_closed() {
        for (const Bank &bank : m_banks) {
            if (bank.open) found(SdramRule::open_bank);
            else if (sooner(bank.precharged, m_times.t_rp)) found(SdramRule::t_rp);
        }
    }

    void load_mode(const SdramPins &pins) {
        need_closed();
        const uint32_t length = pins.a & 7, cas = pins.a >> 4 & 7;
        m_cas = cas;
        m_length = length == 7 ? COLUMNS : 1u << (length & 3);
        const bool known = (length < 4 || length == 7) && !(pins.a >> 3 & 1) && (cas == 2 || cas == 3) &&
                           !(pins.a >> 7) && !pins.ba;
        if (!known || (cas == 2 && m_period < m_times.cas_2)) found(SdramRule::mode);
        m_mode_edge = m_edge;
    }

    void refresh() {
        need_closed();
        if (!m_all_closed) found(SdramRule::order);
        for (uint32_t number = 0; number < BANKS; ++number) touch(number, m_next_row);
        m_next_row = (m_next_row + 1) % ROWS;
        m_refreshed = m_now;
        ++counts.refreshes;
    }

    void precharge(uint32_t number) {
        Bank &bank = m_banks[number];
        if (m_burst.active && m_burst.bank == number) m_burst.active = false;
        if (!bank.open) return;
        if (sooner(bank.activated, m_times.t_ras)) found(SdramRule::t_ras);
        if (!sooner(bank.activated, m_times.t_ras_max)) found(SdramRule::t_ras_max);
        if (sooner(bank.written, m_times.t_wr) ||
            (bank.written_edge != NEVER && m_edge - bank.written_edge < m_times.wr_cycles))
            found(SdramRule::t_wr);
        bank.open = false;
        bank.precharged = m_now;
    }

    void activate(Bank &bank, const SdramPins &pins) {
        if (!m_mode_edge || !m_all_closed || counts.refreshes < m_times.refreshes) found(SdramRule::order);
        if (bank.open) found(SdramRule::open_bank);
        if (sooner(bank.precharged, m_times.t_rp)) found(SdramRule::t_rp);
        if (sooner(bank.activated, m_times.t_rc)) found(SdramRule::t_rc);
        if (sooner(m_activated, m_times.t_rrd) || (m_activated_edge && m_edge - m_activated_edge < m_times.rrd_cycles))
            found(SdramRule::t_rrd);
        bank.open = true;
        bank.row = pins.a % ROWS;
        bank.activated = m_activated = m_now;
        bank.written = bank.written_edge = NEVER;
        m_activated_edge = m_edge;
        touch(pins.ba, bank.row);
        ++counts.activates;
    }

    void begin(const Bank &bank, const SdramPins &pins, bool write) {
        if (!bank.open) found(SdramRule::closed_bank);
        else if (sooner(bank.activated, m_times.t_rcd)) found(SdramRule::t_rcd);
        if (pins.a >> 10 & 1) found(SdramRule::auto_precharge);
        m_burst = {bank.open, write, pins.ba, bank.row, pins.a % COLUMNS, 0};
        ++(write ? counts.writes : counts.reads);
    }

    // One word of the burst under way: taken at this edge, or to be sampled CAS latency edges later.
    void column_step(const SdramPins &pins) {
        if (!m_burst.active) return;
        const uint32_t within = m_length - 1;
        const uint32_t column = (m_burst.column & ~within) | ((m_burst.column + m_burst.done) & within);
        uint8_t *bytes = place(m_burst.bank, m_burst.row, column);
        if (m_burst.write) {
            if (pins.dqm != 3 && !pins.oe) found(SdramRule::bus_floats);
            const uint32_t dq = pins.oe ? pins.dq : m_noise;
            for (uint32_t byte = 0; byte < 2; ++byte)
                if (!(pins.dqm >> byte & 1)) bytes[byte] = static_cast<uint8_t>(dq >> 8 * byte);
            if (pins.dqm != 3) {
                m_banks[m_burst.bank].written = m_now;
                m_banks[m_burst.bank].written_edge = m_edge;
            }
        } else {
            m_pipe[(m_edge + m_cas) % PIPE] = {m_edge + m_cas, bytes[0] | uint32_t{bytes[1]} << 8};
        }
        if (++m_burst.done == m_length && m_length != COLUMNS) m_burst.active = false;
    }

    uint8_t *m_bytes;
    SdramTimes m_times;
    std::array<Bank, BANKS> m_banks;
    std::array<Word, PIPE> m_pipe{};
    Burst m_burst;
    uint64_t m_now = 0, m_period = 0, m_edge = 0;
    uint64_t m_refreshed = NEVER, m_activated = NEVER, m_activated_edge = 0, m_mode_edge = 0;
    uint32_t m_cas = 3, m_length = 8, m_next_row = 0;
    uint32_t m_masks = 0, m_dq = 0, m_noise = 1;
    bool m_started = false, m_all_closed = false, m_driven = false, m_was_driven = false;
};
