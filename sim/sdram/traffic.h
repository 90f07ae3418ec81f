// One AXI master that works through a list of bursts, checks its slave's manners, and keeps what comes back.
//
// A burst is sent when those before it in the list have been, unless it meets one under way in the same 256 bytes, of
// which one writes: so what the list reads is what it would read one by one.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>

#include "random.h"

// In and out of a burst, as sim/sdram/bench.py has it.
struct TrafficBurst {
    uint64_t write, address, beats, size, kind, id, data;  // data: the first beat's number in the master's arrays
    uint64_t response, sent, first, done;                  // cycles: of the address, of the first beat, of the end
};

struct TrafficPort {
    uint8_t *arid, *arlen, *arsize, *arburst, *arvalid, *arready, *rid, *rresp, *rlast, *rvalid, *rready;
    uint8_t *awid, *awlen, *awsize, *awburst, *awvalid, *awready, *wlast, *wvalid, *wready, *bid, *bresp, *bvalid,
        *bready;
    uint64_t *araddr, *awaddr;
    uint32_t *rdata, *wdata;
    uint16_t *wstrb;
};

class TrafficMaster {
  public:
    static constexpr uint64_t BEAT = 16;

    uint64_t errors = 0;  // of the slave: an ID or a last beat out of order, an answer to nothing, one that changes

    TrafficMaster(const TrafficPort &port, TrafficBurst *bursts, uint64_t count, uint8_t *data,
                  const uint16_t *strobes, uint64_t pause, uint64_t under_way, uint64_t seed)
        : m_port(port), m_bursts(bursts), m_count(count), m_data(data), m_strobes(strobes), m_pause(pause),
          m_under_way(under_way), m_random(seed) {}

    bool finished() const { return m_next == m_count && m_reads.empty() && m_writes.empty() && m_data_of.empty(); }

    // Before a rising edge: what is transferred at it.
    void sample(uint64_t cycle) {
        const TrafficPort &p = m_port;
        m_took_ar = *p.arvalid && *p.arready;
        m_took_aw = *p.awvalid && *p.awready;
        m_took_w = *p.wvalid && *p.wready;
        if (m_took_ar || m_took_aw) m_bursts[m_next - 1].sent = cycle;
        if (*p.rvalid) {
            if (m_r_held && memcmp(m_r, p.rdata, BEAT)) ++errors;
            memcpy(m_r, p.rdata, BEAT);
        } else if (m_r_held) {
            ++errors;
        }
        if (m_b_held && !*p.bvalid) ++errors;
        m_r_held = *p.rvalid && !*p.rready;
        m_b_held = *p.bvalid && !*p.bready;
        if (*p.rvalid && *p.rready) read_beat(cycle);
        if (*p.bvalid && *p.bready) {
            if (m_writes.empty() || *p.bid != m_bursts[m_writes.front()].id) {
                ++errors;
            } else {
                TrafficBurst &burst = m_bursts[m_writes.front()];
                burst.response = *p.bresp;
                burst.done = cycle;
                for (uint64_t index : m_data_of)  // answered before all its data have come
                    if (index == m_writes.front()) ++errors;
                m_writes.pop_front();
            }
        }
    }

    // Behind the edge: what is offered next.
    void drive() {
        const TrafficPort &p = m_port;
        if (m_took_ar) *p.arvalid = 0;
        if (m_took_aw) *p.awvalid = 0;
        if (!*p.arvalid && !*p.awvalid && m_next < m_count && may_go(m_bursts[m_next]) && !m_random.chance(m_pause))
            send(m_next++);
        if (m_took_w) {
            *p.wvalid = 0;
            if (*p.wlast) {
                m_data_of.pop_front();
                m_beat = 0;
            } else {
                ++m_beat;
            }
        }
        if (!*p.wvalid && !m_data_of.empty() && !m_random.chance(m_pause)) {
            const TrafficBurst &burst = m_bursts[m_data_of.front()];
            *p.wvalid = 1;
            *p.wlast = m_beat + 1 == burst.beats;
            *p.wstrb = m_strobes[burst.data + m_beat];
            memcpy(p.wdata, m_data + (burst.data + m_beat) * BEAT, BEAT);
        }
        *p.rready = !m_random.chance(m_pause);
        *p.bready = !m_random.chance(m_pause);
    }

  private:
    bool may_go(const TrafficBurst &burst) const {
        if (m_reads.size() + m_writes.size() >= m_under_way) return false;
        for (const std::deque<uint64_t> *list : {&m_reads, &m_writes})
            for (uint64_t index : *list)
                if ((m_bursts[index].write || burst.write) && m_bursts[index].address >> 8 == burst.address >> 8)
                    return false;
        return true;
    }

    void send(uint64_t index) {
        const TrafficBurst &burst = m_bursts[index];
        const TrafficPort &p = m_port;
        const auto set = [&](uint8_t *id, uint64_t *address, uint8_t *length, uint8_t *size, uint8_t *kind,
                             uint8_t *valid) {
            *id = static_cast<uint8_t>(burst.id);
            *address = burst.address;
            *length = static_cast<uint8_t>(burst.beats - 1);
            *size = static_cast<uint8_t>(burst.size);
            *kind = static_cast<uint8_t>(burst.kind);
            *valid = 1;
        };
        if (burst.write) {
            set(p.awid, p.awaddr, p.awlen, p.awsize, p.awburst, p.awvalid);
            m_writes.push_back(index);
            m_data_of.push_back(index);
        } else {
            set(p.arid, p.araddr, p.arlen, p.arsize, p.arburst, p.arvalid);
            m_reads.push_back(index);
        }
    }

    void read_beat(uint64_t cycle) {
        const TrafficPort &p = m_port;
        if (m_reads.empty()) {
            ++errors;
            return;
        }
        TrafficBurst &burst = m_bursts[m_reads.front()];
        if (!m_read) burst.first = cycle;
        if (*p.rid != burst.id || *p.rlast != (m_read + 1 == burst.beats)) ++errors;
        memcpy(m_data + (burst.data + m_read) * BEAT, p.rdata, BEAT);
        burst.response = burst.response > *p.rresp ? burst.response : *p.rresp;
        if (++m_read == burst.beats) {
            burst.done = cycle;
            m_reads.pop_front();
            m_read = 0;
        }
    }

    TrafficPort m_port;
    TrafficBurst *m_bursts;
    uint64_t m_count;
    uint8_t *m_data;
    const uint16_t *m_strobes;
    uint64_t m_pause, m_under_way;
    Random m_random;
    uint64_t m_next = 0, m_beat = 0, m_read = 0;
    std::deque<uint64_t> m_reads, m_writes, m_data_of;  // sent and not answered; whose data are not all handed over
    bool m_took_ar = false, m_took_aw = false, m_took_w = false, m_r_held = false, m_b_held = false;
    uint8_t m_r[BEAT] = {};
};
