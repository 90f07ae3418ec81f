// An SDR SDRAM chip as far as data go: no timing is looked at.
#pragma once

#include <cstdint>
#include <deque>

struct SdramPinState {
    bool cke, cs_n, ras_n, cas_n, we_n, dq_oe;
    uint32_t ba, a, dqm, dq;
};

class PlainChip {
  public:
    explicit PlainChip(uint8_t *memory) : m_memory(reinterpret_cast<uint16_t *>(memory)) {}

    // One rising edge: what the pins say, and what the chip drives from then on.
    uint16_t step(const SdramPinState &pins) {
        if (pins.cke && !pins.cs_n) {
            const uint32_t code = pins.ras_n << 2 | pins.cas_n << 1 | pins.we_n;
            if (code == 0) m_cas = pins.a >> 4 & 7, m_length = 1u << (pins.a & 7);
            if (code == 3) m_row[pins.ba] = pins.a;
            if (code == 4 || code == 5) {
                m_column = pins.a & 511;
                m_bank = pins.ba;
                m_left = m_length;
                m_writing = code == 4;
                m_wait = m_writing ? 0 : m_cas - 1;
            }
        }
        uint16_t out = 0;
        if (m_left && m_wait) {
            --m_wait;
        } else if (m_left) {
            uint16_t &word = m_memory[(m_row[m_bank] * 4 + m_bank) * 512 + m_column];
            if (m_writing) {
                const uint16_t mask = (pins.dqm & 1 ? 0 : 0xFF) | (pins.dqm & 2 ? 0 : 0xFF00);
                word = (word & ~mask) | (pins.dq & mask);
            } else {
                out = word;
            }
            m_column = (m_column & ~(m_length - 1)) | ((m_column + 1) & (m_length - 1));
            --m_left;
        }
        return out;
    }

  private:
    uint16_t *m_memory;
    uint32_t m_row[4] = {}, m_cas = 2, m_length = 8, m_column = 0, m_bank = 0, m_left = 0, m_wait = 0;
    bool m_writing = false;
};
