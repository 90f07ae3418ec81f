// What goes over one AXI4 master port of the Verilated top, and the rules it has to keep, as strict as the PS ports of
// a Zynq UltraScale+ want them.
//
// Flagged: bursts other than INCR of full, aligned beats; more than 16 of them; crossing 4 KiB; valid that falls, or a
// channel that changes, before its handshake.
//
// Signals is a class of static accessors to the port (see core.cpp).
#pragma once

#include <cstring>
#include <vector>

#include "system.h"

template <class Signals, class Top>
class AxiRules {
  public:
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
        uint32_t done = 0;      // beats served
        uint64_t accepted = 0;  // the cycle of its address
        uint64_t ready = 0;     // the cycle from which it may be served
        bool refused = false;   // outside the memory
        bool posted = false;    // to the DDR controller, whose tickets begin with this one:
        uint32_t ticket = 0;
        std::vector<WriteBeat> data;

        bool same(const Burst &other) const {
            return address == other.address && id == other.id && beats == other.beats && size == other.size &&
                   kind == other.kind;
        }
        uint64_t bytes() const { return uint64_t{beats} * BEAT; }
    };

    AxiRules(System &system, Top *top) : m_system(system), m_top(top) {}

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

    void check_burst(const Burst &burst) {
        if (burst.kind != 1) error("a burst that is not INCR", burst.kind);
        if (burst.size != BEAT) error("beats narrower or wider than the port", burst.size);
        if (burst.address % BEAT) error("an address not aligned to the beat", burst.address);
        if (burst.beats > MAX_BEATS) error("a burst of more than 16 beats", burst.beats);
        if (burst.address / PAGE != (burst.address + burst.bytes() - 1) / PAGE)
            error("a burst that crosses 4 KiB", burst.address);
    }

    // Before a rising edge: valid and its payload must hold until the handshake.
    void check_held() {
        hold(m_held_ar, m_ar, *Signals::arvalid(m_top), *Signals::arready(m_top), [&] { return read_address(); },
             "the read address changed or fell before its handshake");
        hold(m_held_aw, m_aw, *Signals::awvalid(m_top), *Signals::awready(m_top), [&] { return write_address(); },
             "the write address changed or fell before its handshake");
        if (m_held_w) {
            const WriteBeat now = write_beat();
            if (!*Signals::wvalid(m_top) || now.last != m_w.last || now.strobes != m_w.strobes ||
                memcmp(now.data.bytes, m_w.data.bytes, BEAT))
                error("write data changed or fell before their handshake", m_w.strobes);
        }
        m_held_w = *Signals::wvalid(m_top) && !*Signals::wready(m_top);
        if (m_held_w) m_w = write_beat();
    }

    void error(const char *rule, uint64_t value) { m_system.error(Signals::name, rule, value); }

    void reset() { m_held_ar = m_held_aw = m_held_w = false; }

  private:
    template <class Address>
    void hold(bool &held, Burst &before, bool valid, bool ready, Address address, const char *rule) {
        if (held && (!valid || !address().same(before))) error(rule, before.address);
        held = valid && !ready;
        if (held) before = address();
    }

    System &m_system;
    Top *m_top;
    bool m_held_ar = false, m_held_aw = false, m_held_w = false;
    Burst m_ar{}, m_aw{};
    WriteBeat m_w{};
};
