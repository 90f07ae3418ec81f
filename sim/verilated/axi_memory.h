// One AXI4 slave port on the shared memory; axi_rules.h has the rules that its master must keep.
//
// Reads and writes are served burst by burst: in order within an ID, and by chance out of order between IDs.
// A read beat takes the memory's content when it is first shown, a write takes effect with its response: a master
// that reads what it has written before the response came, or writes what it has not finished reading, is found.
// WLAST at the wrong beat is flagged. Addresses outside the memory are answered with SLVERR and touch nothing; they
// are no broken rule.
//
// When a burst may be served is either a fixed latency or the board's DDR controller's business (ddr.h); stalls and
// bursts that overtake come on top of both, and faults that were planted (port_faults.h) on top of these.
#pragma once

#include <cstring>
#include <deque>

#include "axi_rules.h"
#include "port_faults.h"
#include "random.h"
#include "system.h"

template <class Signals, class Top>
class AxiMemory {
    using Rules = AxiRules<Signals, Top>;
    using Burst = typename Rules::Burst;
    using WriteBeat = typename Rules::WriteBeat;
    static constexpr uint32_t BEAT = Rules::BEAT;
    static constexpr uint32_t PORT = Signals::index;
    static constexpr int WRONG = 0xA5;  // data that come with an error

  public:
    Behaviour behaviour;
    PortCounters counters;
    PortFaults faults;

    AxiMemory(System &system, Top *top) : m_system(system), m_top(top), m_rules(system, top) {}

    static constexpr uint32_t beat_bytes() { return BEAT; }
    void seed(uint64_t value) { m_random = Random(value); }

    // Before the rising edge, with every signal settled: note what happens on it.
    void sample() {
        m_rules.check_held();
        count();
        m_took_r = *Signals::rvalid(m_top) && *Signals::rready(m_top);
        m_took_b = *Signals::bvalid(m_top) && *Signals::bready(m_top);
        if (faults.on()) note_faults();
        if (*Signals::arvalid(m_top) && *Signals::arready(m_top)) accept_read(m_rules.read_address());
        if (*Signals::awvalid(m_top) && *Signals::awready(m_top)) accept(m_writes, m_rules.write_address());
        if (*Signals::wvalid(m_top) && *Signals::wready(m_top)) m_beats.push_back(m_rules.write_beat());
    }

    // After the rising edge: show what the slave drives in the next cycle.
    void drive() {
        drive_read();
        collect_writes();
        drive_answer();
        *Signals::arready(m_top) = m_reads.size() < behaviour.outstanding && !stalls();
        *Signals::awready(m_top) = m_writes.size() + m_answers.size() < behaviour.outstanding && !stalls();
        *Signals::wready(m_top) = m_beats.size() < Rules::MAX_BEATS && !stalls();
        if (!faults.on()) return;
        if (is_held(AR)) *Signals::arready(m_top) = 0;
        if (is_held(AW)) *Signals::awready(m_top) = 0;
        if (is_held(W)) *Signals::wready(m_top) = 0;
    }

    // The core alone is in reset: what it showed may fall. forget: writes of which not all data came are none.
    void reset_master(bool forget) {
        m_rules.reset();
        if (!forget) return;
        m_writes.clear();
        m_beats.clear();
    }

    // While the core is in reset: nothing is valid, nothing is remembered.
    void reset() {
        m_rules.reset();
        m_reads.clear();
        m_writes.clear();
        m_answers.clear();
        m_beats.clear();
        m_serving = m_answering = -1;
        m_took_r = m_took_b = m_showing_r = m_showing_b = false;
        *Signals::arready(m_top) = *Signals::awready(m_top) = *Signals::wready(m_top) = 0;
        *Signals::rvalid(m_top) = *Signals::bvalid(m_top) = 0;
    }

  private:
    bool stalls() { return m_random.chance(behaviour.stall); }

    bool is_held(Channel channel) const { return faults.on() && faults.holds(channel, m_system.cycle); }

    // Whether what the channel is about to show must wait.
    bool waits(Channel channel) {
        if (!is_held(channel)) return false;
        faults.act(channel, m_system.cycle);
        return true;
    }

    // The response to show.
    uint32_t response(Channel channel, bool refused) {
        const uint32_t right = refused ? RESP_SLVERR : RESP_OKAY;
        return faults.on() ? faults.event(channel, right, m_system.cycle) : right;
    }

    void note_faults() {
        note_fault(AR, *Signals::arvalid(m_top), *Signals::arready(m_top));
        note_fault(AW, *Signals::awvalid(m_top), *Signals::awready(m_top));
        note_fault(W, *Signals::wvalid(m_top), *Signals::wready(m_top));
    }

    void note_fault(Channel channel, bool valid, bool ready) {
        if (valid && ready) faults.event(channel, 0, m_system.cycle);
        if (valid && !ready && is_held(channel)) faults.act(channel, m_system.cycle);
    }

    void count() {
        if (*Signals::rvalid(m_top))
            ++(*Signals::rready(m_top) ? counters.read_beats : counters.read_held);
        else if (!m_reads.empty())
            ++counters.read_waiting;
        if (*Signals::wvalid(m_top)) ++(*Signals::wready(m_top) ? counters.write_beats : counters.write_waiting);
    }

    Burst &accept(std::deque<Burst> &queue, Burst burst) {
        m_rules.check_burst(burst);
        burst.address -= burst.address % BEAT;
        burst.refused = !m_system.holds(burst.address, burst.bytes());
        burst.accepted = m_system.cycle;
        queue.push_back(std::move(burst));
        return queue.back();
    }

    void accept_read(Burst address) {
        Burst &burst = accept(m_reads, std::move(address));
        burst.ready = m_system.cycle + behaviour.read_latency;
        post(burst, false);
    }

    void post(Burst &burst, bool write) {
        burst.posted = m_system.board && !burst.refused;
        if (burst.posted)
            burst.ticket = m_system.ddr.post(PORT, write, burst.address, burst.bytes(), m_system.cycle);
    }

    // The lines of a burst that its bytes up to `bytes` lie on are done, or its latency is over.
    bool is_ready(const Burst &burst, bool write, uint64_t bytes) const {
        if (!burst.posted) return burst.ready <= m_system.cycle;
        const uint64_t line = (burst.address + bytes - 1) / LINE_BYTES - burst.address / LINE_BYTES;
        return m_system.ddr.done(PORT, write, burst.ticket + static_cast<uint32_t>(line), m_system.cycle);
    }

    bool is_read_ready(const Burst &burst) const { return is_ready(burst, false, (burst.done + 1) * uint64_t{BEAT}); }
    bool is_write_ready(const Burst &burst) const { return is_ready(burst, true, burst.bytes()); }

    // Settle on the burst to serve next, -1 for none yet, once the oldest is ready: that one, or by chance a younger
    // one that is the oldest of its ID. True if the chosen one is ready.
    template <class Ready>
    bool choose(const std::deque<Burst> &queue, int &chosen, Ready ready) {
        if (chosen < 0 && !queue.empty() && ready(queue.front())) {
            chosen = 0;
            if (queue.size() > 1 && m_random.chance(behaviour.reorder)) {
                chosen = 1 + static_cast<int>(m_random.below(queue.size() - 1));
                for (int older = chosen - 1; older >= 0; --older)
                    if (queue[older].id == queue[chosen].id) chosen = older;
            }
        }
        return chosen >= 0 && ready(queue[chosen]);
    }

    void drive_read() {
        if (m_took_r) {
            m_showing_r = false;
            Burst &burst = m_reads[m_serving];
            if (++burst.done == burst.beats) {
                counters.answered(m_system.cycle - burst.accepted);
                m_reads.erase(m_reads.begin() + m_serving);
                m_serving = -1;
            }
            if (m_system.board && ++m_since_pause == m_system.ddr.dram.parameters.beats_a_pause) {
                m_since_pause = 0;
                *Signals::rvalid(m_top) = 0;
                return;
            }
        }
        if (!m_showing_r && !stalls() &&
            choose(m_reads, m_serving, [&](const Burst &burst) { return is_read_ready(burst); }) && !waits(R)) {
            const Burst &burst = m_reads[m_serving];
            const uint64_t address = burst.address + uint64_t{burst.done} * BEAT;
            const uint32_t answer = response(R, burst.refused);
            if (answer != RESP_OKAY)
                memset(Signals::rdata(m_top), WRONG, BEAT);
            else
                memcpy(Signals::rdata(m_top), m_system.memory + (address - m_system.base), BEAT);
            *Signals::rid(m_top) = burst.id;
            *Signals::rresp(m_top) = answer;
            *Signals::rlast(m_top) = burst.done + 1 == burst.beats;
            m_showing_r = true;
        }
        *Signals::rvalid(m_top) = m_showing_r;
    }

    // Match accepted data to accepted addresses, in order; a full burst waits for its response.
    void collect_writes() {
        while (!m_beats.empty() && !m_writes.empty()) {
            Burst &burst = m_writes.front();
            const bool last = burst.data.size() + 1 == burst.beats;
            if (m_beats.front().last != last)
                m_rules.error(last ? "no WLAST on the last beat" : "WLAST before the last beat", burst.address);
            burst.data.push_back(m_beats.front());
            m_beats.pop_front();
            if (last) {
                burst.ready = m_system.cycle + behaviour.write_latency;
                post(burst, true);
                m_answers.push_back(std::move(burst));
                m_writes.pop_front();
            }
        }
    }

    void drive_answer() {
        if (m_took_b) m_showing_b = false;
        if (!m_showing_b && !stalls() &&
            choose(m_answers, m_answering, [&](const Burst &burst) { return is_write_ready(burst); }) && !waits(B)) {
            const Burst &burst = m_answers[m_answering];
            const uint32_t answer = response(B, burst.refused);
            if (answer == RESP_OKAY) store(burst);
            *Signals::bid(m_top) = burst.id;
            *Signals::bresp(m_top) = answer;
            m_showing_b = true;
            m_answers.erase(m_answers.begin() + m_answering);
            m_answering = -1;
        }
        *Signals::bvalid(m_top) = m_showing_b;
    }

    void store(const Burst &burst) {
        uint8_t *target = m_system.memory + (burst.address - m_system.base);
        for (const WriteBeat &beat : burst.data) {
            for (uint32_t i = 0; i < BEAT; ++i)
                if (beat.strobes >> i & 1) {
                    target[i] = beat.data.bytes[i];
                    ++counters.bytes_written;
                }
            target += BEAT;
        }
    }

    System &m_system;
    Top *m_top;
    Rules m_rules;
    Random m_random;
    std::deque<Burst> m_reads, m_writes, m_answers;
    std::deque<WriteBeat> m_beats;
    int m_serving = -1, m_answering = -1;  // index of the burst chosen among m_reads, among m_answers
    bool m_took_r = false, m_took_b = false;  // on the last rising edge
    bool m_showing_r = false, m_showing_b = false;
    uint32_t m_since_pause = 0;  // beats read
};
