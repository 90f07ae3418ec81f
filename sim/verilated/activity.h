// What the engines of a core do, cycle by cycle, and what its ports have moved by then: a record at each change.
#pragma once

#include <cstdint>
#include <vector>

// A record: the cycle that it begins with; a bit an engine that works from then on, and one for a run under way; the
// bytes that each port has read, then those that each has written. sim/verilated_core.py gives them names.
class Activity {
  public:
    // Begin anew, with a record every so many cycles, too; 0: no records.
    void start(uint64_t interval) {
        m_interval = interval;
        m_records.clear();
        m_left = 0;
    }

    bool on() const { return m_interval != 0; }

    // Whether a cycle in which these work begins a record.
    bool is_due(uint64_t working) {
        if (m_left && working == m_working) {
            --m_left;
            return false;
        }
        m_left = m_interval - 1;
        m_working = working;
        return true;
    }

    void add(uint64_t value) { m_records.push_back(value); }
    const std::vector<uint64_t> &records() const { return m_records; }

  private:
    uint64_t m_interval = 0, m_left = 0, m_working = 0;
    std::vector<uint64_t> m_records;
};
