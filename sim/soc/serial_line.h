// The host's end of a serial line, 8N1, bit by bit: bytes go out one behind another, and come in as the board sends them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

// What happens to byte number `at` of a direction; sim/soc/line_fault.py names the kinds.
struct LineFault {
    uint32_t kind, at, bits;
};

enum LineFaultKind : uint32_t { DROPPED, DOUBLED, FLIPPED };

// One direction's faults, each of which acts once.
class LineFaults {
  public:
    void plant(const LineFault &fault) { m_left.push_back(fault); }
    void clear() { m_left.clear(); }
    uint64_t acted() const { return m_acted; }

    // The fault of this byte, if there is one.
    bool take(uint64_t byte, LineFault &fault) {
        for (auto i = m_left.begin(); i != m_left.end(); ++i)
            if (i->at == byte) {
                fault = *i;
                m_left.erase(i);
                ++m_acted;
                return true;
            }
        return false;
    }

  private:
    std::vector<LineFault> m_left;
    uint64_t m_acted = 0;
};

class SerialLine {
  public:
    LineFaults to_board_faults, to_host_faults;
    uint64_t sent = 0, received = 0, broken = 0;  // bytes; broken: without a stop bit

    // Both in the same unit, bits and cycles a second.
    SerialLine(uint64_t baud, uint64_t clock) : m_baud(baud), m_clock(clock) {}

    // Bytes for the board, the first of them not before so many cycles have passed.
    void send(const uint8_t *bytes, uint64_t count, uint64_t delay) {
        if (m_queue.empty() && !m_bits) m_delay = delay;
        m_queue.insert(m_queue.end(), bytes, bytes + count);
    }

    // What the board has sent, at most `room` bytes.
    uint64_t receive(uint8_t *bytes, uint64_t room) {
        const uint64_t count = std::min<uint64_t>(room, m_received.size());
        std::copy(m_received.begin(), m_received.begin() + count, bytes);
        m_received.erase(m_received.begin(), m_received.begin() + count);
        return count;
    }

    bool has_received() const { return !m_received.empty(); }

    // Whether no bit is under way, nor any byte waits for its turn.
    bool is_idle() const { return !m_bits && m_queue.empty() && !m_listening; }

    // Whether nothing is under way but that the host has not begun yet.
    bool is_waiting() const { return !m_bits && !m_queue.empty() && m_delay && !m_listening; }

    // One cycle: what the board sends, and what it gets.
    bool step(bool from_board) {
        if (m_listening)
            listen(from_board);
        else if (!from_board)
            m_listening = BITS, m_word = 0, m_listen_phase = m_clock / 2;
        if (m_bits) {
            m_phase += m_baud;
            if (m_phase >= m_clock) {
                m_phase -= m_clock;
                if (--m_bits)
                    m_level = (m_frame >>= 1) & 1;
                else
                    m_level = true;
            }
        }
        if (!m_bits && !m_queue.empty()) begin();
        return m_level;
    }

  private:
    static constexpr uint32_t BITS = 10;  // a start bit, eight of data, a stop bit

    void begin() {
        if (m_delay) {
            --m_delay;
            return;
        }
        uint32_t flips = 0;
        LineFault fault;
        const uint8_t byte = m_queue.front();
        m_queue.pop_front();
        if (to_board_faults.take(sent++, fault)) {
            if (fault.kind == DROPPED) return;
            if (fault.kind == DOUBLED) {
                m_queue.push_front(byte);
                --sent;
            }
            if (fault.kind == FLIPPED) flips = fault.bits;
        }
        m_frame = (uint32_t{byte} << 1 | 1u << (BITS - 1)) ^ flips;
        m_bits = BITS;
        m_level = m_frame & 1;
    }

    // Samples each bit in its midst.
    void listen(bool level) {
        m_listen_phase += m_baud;
        if (m_listen_phase < m_clock) return;
        m_listen_phase -= m_clock;
        m_word |= uint32_t{level} << (BITS - m_listening);
        if (--m_listening) return;
        broken += !level;
        uint8_t byte = m_word >> 1;
        LineFault fault;
        if (to_host_faults.take(received++, fault)) {
            if (fault.kind == DROPPED) return;
            if (fault.kind == DOUBLED) m_received.push_back(byte);
            if (fault.kind == FLIPPED) byte ^= fault.bits >> 1;
        }
        m_received.push_back(byte);
    }

    const uint64_t m_baud, m_clock;
    std::deque<uint8_t> m_queue, m_received;
    uint32_t m_bits = 0, m_frame = 0, m_listening = 0, m_word = 0;
    uint64_t m_phase = 0, m_listen_phase = 0, m_delay = 0;
    bool m_level = true;
};
