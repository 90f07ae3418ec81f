// One AXI4 slave port on the shared memory, as strict as the PS ports of a Zynq UltraScale+ want it.
//
// Reads and writes are served burst by burst: in order within an ID, and by chance out of order between IDs.
// A read beat takes the memory's content when it is first shown, a write takes effect with its response: a master
// that reads what it has written before the response came, or writes what it has not finished reading, is found.
// Flagged: bursts other than INCR of full, aligned beats; more than 16 of them; crossing 4 KiB; WLAST at the wrong
// beat; valid that falls, or a channel that changes, before its handshake. Addresses outside the memory are answered
// with SLVERR and touch nothing; they are no broken rule.
//
// Signals is a class of static accessors to one port of the Verilated top (see core.cpp).
#pragma once

#include <cstring>
#include <deque>
#include <vector>

#include "random.h"
#include "system.h"

template <class Signals, class Top>
class AxiMemory {
    static constexpr uint32_t BEAT = sizeof(*Signals::rdata(static_cast<Top *>(nullptr)));
    static constexpr uint32_t MAX_BEATS = 16;
    static constexpr uint64_t PAGE = 4096;

    struct Beat {
        uint8_t bytes[BEAT];
    };
    struct WriteBeat {
        Beat data;
        uint64_t strobes;
        bool last;
    };
    struct Burst {
        uint64_t address;
        uint32_t id, beats, size, kind;
        uint32_t done = 0;    // beats served
        uint64_t ready = 0;   // the cycle from which it may be served
        bool refused = false; // outside the memory
        std::vector<WriteBeat> data;

        bool same(const Burst &other) const {
            return address == other.address && id == other.id && beats == other.beats && size == other.size &&
                   kind == other.kind;
        }
    };

  public:
    Behaviour behaviour;
    uint64_t bytes_read = 0, bytes_written = 0;
    const char *name = Signals::name;

    AxiMemory(System &system, Top *top) : m_system(system), m_top(top) {}

    static constexpr uint32_t beat_bytes() { return BEAT; }
    void seed(uint64_t value) { m_random = Random(value); }

    // Before the rising edge, with every signal settled: note what happens on it.
    void sample() {
        check_held();
        m_took_r = *Signals::rvalid(m_top) && *Signals::rready(m_top);
        m_took_b = *Signals::bvalid(m_top) && *Signals::bready(m_top);
        if (*Signals::arvalid(m_top) && *Signals::arready(m_top))
            accept(m_reads, read_address(), behaviour.read_latency);
        if (*Signals::awvalid(m_top) && *Signals::awready(m_top)) accept(m_writes, write_address(), 0);
        if (*Signals::wvalid(m_top) && *Signals::wready(m_top)) m_beats.push_back(write_beat());
        if (m_took_r) bytes_read += BEAT;
    }

    // After the rising edge: show what the slave drives in the next cycle.
    void drive() {
        drive_read();
        collect_writes();
        drive_answer();
        *Signals::arready(m_top) = m_reads.size() < behaviour.outstanding && !stalls();
        *Signals::awready(m_top) = m_writes.size() + m_answers.size() < behaviour.outstanding && !stalls();
        *Signals::wready(m_top) = m_beats.size() < MAX_BEATS && !stalls();
    }

    // While the core is in reset: nothing is valid, nothing is remembered.
    void reset() {
        m_reads.clear();
        m_writes.clear();
        m_answers.clear();
        m_beats.clear();
        m_serving = m_answering = -1;
        m_took_r = m_took_b = m_showing_r = m_showing_b = m_held_ar = m_held_aw = m_held_w = false;
        *Signals::arready(m_top) = *Signals::awready(m_top) = *Signals::wready(m_top) = 0;
        *Signals::rvalid(m_top) = *Signals::bvalid(m_top) = 0;
    }

  private:
    bool stalls() { return m_random.chance(behaviour.stall); }

    Burst read_address() const {
        return Burst{*Signals::araddr(m_top), *Signals::arid(m_top), *Signals::arlen(m_top) + 1u,
                     1u << *Signals::arsize(m_top), *Signals::arburst(m_top)};
    }

    Burst write_address() const {
        return Burst{*Signals::awaddr(m_top), *Signals::awid(m_top), *Signals::awlen(m_top) + 1u,
                     1u << *Signals::awsize(m_top), *Signals::awburst(m_top)};
    }

    WriteBeat write_beat() const {
        WriteBeat beat;
        memcpy(beat.data.bytes, Signals::wdata(m_top), BEAT);
        beat.strobes = *Signals::wstrb(m_top);
        beat.last = *Signals::wlast(m_top);
        return beat;
    }

    void accept(std::deque<Burst> &queue, Burst burst, uint32_t latency) {
        const uint64_t bytes = uint64_t{burst.beats} * BEAT;
        if (burst.kind != 1) m_system.error(name, "a burst that is not INCR", burst.kind);
        if (burst.size != BEAT) m_system.error(name, "beats narrower or wider than the port", burst.size);
        if (burst.address % BEAT) m_system.error(name, "an address not aligned to the beat", burst.address);
        if (burst.beats > MAX_BEATS) m_system.error(name, "a burst of more than 16 beats", burst.beats);
        if (burst.address / PAGE != (burst.address + bytes - 1) / PAGE)
            m_system.error(name, "a burst that crosses 4 KiB", burst.address);
        burst.address -= burst.address % BEAT;
        burst.refused = !m_system.holds(burst.address, bytes);
        burst.ready = m_system.cycle + latency;
        queue.push_back(std::move(burst));
    }

    // Valid and its payload must hold until the handshake.
    void check_held() {
        hold(m_held_ar, m_ar, *Signals::arvalid(m_top), *Signals::arready(m_top), [&] { return read_address(); },
             "the read address changed or fell before its handshake");
        hold(m_held_aw, m_aw, *Signals::awvalid(m_top), *Signals::awready(m_top), [&] { return write_address(); },
             "the write address changed or fell before its handshake");
        if (m_held_w) {
            const WriteBeat now = write_beat();
            if (!*Signals::wvalid(m_top) || now.last != m_w.last || now.strobes != m_w.strobes ||
                memcmp(now.data.bytes, m_w.data.bytes, BEAT))
                m_system.error(name, "write data changed or fell before their handshake", m_w.strobes);
        }
        m_held_w = *Signals::wvalid(m_top) && !*Signals::wready(m_top);
        if (m_held_w) m_w = write_beat();
    }

    template <class Address>
    void hold(bool &held, Burst &before, bool valid, bool ready, Address address, const char *rule) {
        if (held && (!valid || !address().same(before))) m_system.error(name, rule, before.address);
        held = valid && !ready;
        if (held) before = address();
    }

    // Settle on the burst to serve next, -1 for none yet, once the oldest is ready: that one, or by chance a younger
    // one that is the oldest of its ID. True if the chosen one is ready.
    bool choose(const std::deque<Burst> &queue, int &chosen) {
        if (chosen < 0 && !queue.empty() && queue.front().ready <= m_system.cycle) {
            chosen = 0;
            if (queue.size() > 1 && m_random.chance(behaviour.reorder)) {
                chosen = 1 + static_cast<int>(m_random.below(queue.size() - 1));
                for (int older = chosen - 1; older >= 0; --older)
                    if (queue[older].id == queue[chosen].id) chosen = older;
            }
        }
        return chosen >= 0 && queue[chosen].ready <= m_system.cycle;
    }

    void drive_read() {
        if (m_took_r) {
            m_showing_r = false;
            if (++m_reads[m_serving].done == m_reads[m_serving].beats) {
                m_reads.erase(m_reads.begin() + m_serving);
                m_serving = -1;
            }
        }
        if (!m_showing_r && !stalls() && choose(m_reads, m_serving)) {
            const Burst &burst = m_reads[m_serving];
            const uint64_t address = burst.address + uint64_t{burst.done} * BEAT;
            if (burst.refused)
                memset(Signals::rdata(m_top), 0, BEAT);
            else
                memcpy(Signals::rdata(m_top), m_system.memory + (address - m_system.base), BEAT);
            *Signals::rid(m_top) = burst.id;
            *Signals::rresp(m_top) = burst.refused ? RESP_SLVERR : RESP_OKAY;
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
                m_system.error(name, last ? "no WLAST on the last beat" : "WLAST before the last beat", burst.address);
            burst.data.push_back(m_beats.front());
            m_beats.pop_front();
            if (last) {
                burst.ready = m_system.cycle + behaviour.write_latency;
                m_answers.push_back(std::move(burst));
                m_writes.pop_front();
            }
        }
    }

    void drive_answer() {
        if (m_took_b) m_showing_b = false;
        if (!m_showing_b && !stalls() && choose(m_answers, m_answering)) {
            const Burst &burst = m_answers[m_answering];
            if (!burst.refused) store(burst);
            *Signals::bid(m_top) = burst.id;
            *Signals::bresp(m_top) = burst.refused ? RESP_SLVERR : RESP_OKAY;
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
                    ++bytes_written;
                }
            target += BEAT;
        }
    }

    System &m_system;
    Top *m_top;
    Random m_random;
    std::deque<Burst> m_reads, m_writes, m_answers;
    std::deque<WriteBeat> m_beats;
    int m_serving = -1, m_answering = -1;  // index of the burst chosen among m_reads, among m_answers
    bool m_took_r = false, m_took_b = false;  // on the last rising edge
    bool m_showing_r = false, m_showing_b = false;
    bool m_held_ar = false, m_held_aw = false, m_held_w = false;
    Burst m_ar{}, m_aw{};
    WriteBeat m_w{};
};
