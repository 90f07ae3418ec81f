// The KV260's way from the four HP ports to its memory: controller ports, arbitration, the command window, refresh.
//
// HP0 has a port of the controller, HP1 and HP2 share one, HP3 has one. Bursts are cut into lines of 64 bytes. The
// arbiter takes a line from each controller port in turn as long as the window has room; from the window the controller
// picks what the memory can transfer first, so row hits overtake row misses. Writes wait in a window of their own
// until nothing is to be read, it is full, or they have waited too long; then a run of them is written.
// sim/ddr_parameters.py says where each figure comes from.
#pragma once

#include <deque>
#include <vector>

#include "dram.h"
#include "random.h"

class Ddr {
    static constexpr uint32_t HP_PORTS = 4, CONTROLLER_PORTS = 3;
    static constexpr uint32_t CONTROLLER_PORT[HP_PORTS] = {0, 1, 1, 2};
    static constexpr uint64_t NEVER = ~uint64_t{0};

  public:
    static constexpr uint32_t TICKETS = 256;  // lines of a port and direction that may be under way
    Dram dram;

    // From this cycle of the fabric on a cycle takes `cycle_time`; the seed says when the next refresh is due.
    void start(uint64_t cycle, Time cycle_time, uint64_t seed, const DdrParameters &parameters) {
        dram.parameters = parameters;
        m_first_cycle = cycle;
        m_first_time = m_now;
        m_cycle_time = cycle_time;
        m_next_refresh = m_now + Random(seed).below(dram.parameters.refresh_interval);
    }

    // Send the lines that a burst touches on their way; the ticket of the first, the others follow.
    uint32_t post(uint32_t port, bool write, uint64_t address, uint64_t bytes, uint64_t cycle) {
        uint32_t &next = m_tickets[write][port];
        const uint32_t first = next;
        for (uint64_t line = address / LINE_BYTES; line <= (address + bytes - 1) / LINE_BYTES; ++line, ++next) {
            ++m_under_way;
            m_done[write][port][next % TICKETS] = NEVER;
            m_queues[write][CONTROLLER_PORT[port]].push_back(
                {to_time(cycle) + dram.parameters.request, port, next, Dram::place(line * LINE_BYTES)});
        }
        return first;
    }

    // Whether the line has come back, or its write is accepted and visible to every later read.
    bool done(uint32_t port, bool write, uint32_t ticket, uint64_t cycle) const {
        return m_done[write][port][ticket % TICKETS] <= cycle;
    }

    // Let the memory work until the end of a cycle of the fabric's clock.
    void advance(uint64_t cycle) {
        const Time end = to_time(cycle + 1);
        m_now = std::max(m_now, to_time(cycle));
        if (!m_under_way && m_next_refresh >= end) return;
        while (m_now < end) {
            admit(false, dram.parameters.read_window);
            admit(true, dram.parameters.write_window);
            if (m_now >= m_next_refresh) {
                m_waiting_until = 0;
                m_now = dram.refresh(m_now);
                m_next_refresh += dram.parameters.refresh_interval;
            } else if (!serve(end)) {
                m_now = end;
            }
        }
    }

    bool is_busy() const { return m_under_way != 0; }

    // Forget what is under way.
    void reset() {
        for (bool write : {false, true}) {
            for (auto &queue : m_queues[write]) queue.clear();
            m_window[write].clear();
        }
        m_under_way = 0;
        m_waiting_until = 0;
    }

  private:
    struct Line {
        Time arrival;  // at the controller
        uint32_t port, ticket;
        Dram::Place place;
    };

    // Take arrived lines into the window, one of each controller port in turn.
    void admit(bool write, size_t room) {
        auto &window = m_window[write];
        uint32_t &turn = m_turn[write];
        uint32_t empty = 0;  // controller ports without an arrived line, one after the other
        while (empty < CONTROLLER_PORTS && window.size() < room) {
            auto &queue = m_queues[write][turn];
            turn = (turn + 1) % CONTROLLER_PORTS;
            if (queue.empty() || queue.front().arrival > m_now) {
                ++empty;
                continue;
            }
            empty = 0;
            m_waiting_until = 0;
            if (write) accept(queue.front(), window.empty());
            window.push_back(queue.front());
            queue.pop_front();
        }
    }

    // A write is answered once it is in the window: every later read is ordered after it.
    void accept(const Line &line, bool first) {
        if (first) m_writes_since = m_now;
        m_done[true][line.port][line.ticket % TICKETS] = to_cycle(m_now + dram.parameters.answer);
    }

    Time to_time(uint64_t cycle) const { return m_first_time + (cycle - m_first_cycle) * m_cycle_time; }
    uint64_t to_cycle(Time time) const {
        return m_first_cycle + (time - m_first_time + m_cycle_time - 1) / m_cycle_time;
    }

    void choose_direction() {
        const bool reads = !m_window[false].empty(), writes = !m_window[true].empty();
        const bool writing = m_writing;
        if (!m_writing)
            m_writing = writes && (!reads || m_window[true].size() == dram.parameters.write_window ||
                                   m_now >= m_writes_since + dram.parameters.write_patience);
        else
            m_writing = writes && (!reads || m_run < dram.parameters.write_run);
        if (m_writing == writing) return;
        m_run = 0;
        if (!m_writing) m_writes_since = m_now;
    }

    // Transfer a line if one can begin before `end`. Banks whose open row nobody waits for change to the row of their
    // oldest line meanwhile.
    bool serve(Time end) {
        if (m_waiting_until >= end) return false;
        choose_direction();
        auto &window = m_window[m_writing];
        bool wanted[Dram::BANKS] = {};
        for (const Line &line : window) wanted[line.place.bank] |= dram.is_open(line.place);
        size_t chosen = 0;
        Time at = NEVER;
        for (size_t i = 0; i < window.size(); ++i) {
            const Dram::Place &place = window[i].place;
            if (!wanted[place.bank]) {
                dram.open(place, m_now);
                wanted[place.bank] = true;
            }
            if (!dram.is_open(place)) continue;
            const Time earliest = dram.earliest(place, m_writing, m_now);
            if (earliest < at) {
                at = earliest;
                chosen = i;
            }
        }
        if (at >= end) {
            if (m_window[true].empty()) m_waiting_until = at;  // writes grow impatient, reads do not
            return false;
        }
        const Line line = window[chosen];
        window.erase(window.begin() + chosen);
        --m_under_way;
        dram.transfer(line.place, m_writing, at);
        if (m_writing) {
            ++m_run;
            m_writes_since = at;
        } else {
            Time &port = m_returned[CONTROLLER_PORT[line.port]];
            port = std::max(at + dram.parameters.answer, port + dram.parameters.port_line);
            m_done[false][line.port][line.ticket % TICKETS] = to_cycle(port);
        }
        m_now = at + 1;
        return true;
    }

    Time m_cycle_time = 4 * NANOSECOND, m_first_time = 0;
    uint64_t m_first_cycle = 0;  // which began at m_first_time
    Time m_now = 0, m_next_refresh = 0;
    Time m_waiting_until = 0;  // nothing can be transferred before, unless more arrives
    std::deque<Line> m_queues[2][CONTROLLER_PORTS];  // [write][controller port]
    std::vector<Line> m_window[2];                   // [write]
    uint64_t m_under_way = 0;                        // lines in either
    uint32_t m_turn[2] = {0, 0};
    bool m_writing = false;
    uint32_t m_run = 0;  // lines written at this stretch
    Time m_writes_since = 0;  // writes have been waiting
    Time m_returned[CONTROLLER_PORTS] = {0, 0, 0};
    uint32_t m_tickets[2][HP_PORTS] = {};
    uint64_t m_done[2][HP_PORTS][TICKETS] = {};  // the cycle from which it is, or NEVER
};
