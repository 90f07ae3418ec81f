// What is made to go wrong on one port: a wrong response to a chosen beat or write, a channel that stands still.
#pragma once

#include <cstdint>

enum Channel : uint32_t { AR, R, AW, W, B, CHANNELS };

// Events of a channel are its transfers, counted from when the fault was planted; on R and B, what is shown.
class PortFaults {
  public:
    static constexpr uint32_t HOLD = 4;  // a kind; others are the response, 2 or 3

    // From event `after` on: one wrong response, or a channel that stands still for `cycles`; 0: until `clear`.
    void plant(uint32_t channel, uint32_t kind, uint64_t after, uint64_t cycles) {
        m_faults[channel] = {kind, after, cycles, 0};
        m_on = true;
    }

    void clear() { *this = PortFaults(); }
    bool on() const { return m_on; }

    // The first cycle in which the fault of a channel had an effect; 0: none so far.
    uint64_t acted(uint32_t channel) const { return m_faults[channel].acted; }

    // Whether a channel stands still in the coming cycle.
    bool holds(Channel channel, uint64_t cycle) const {
        const Fault &fault = m_faults[channel];
        if (fault.kind != HOLD || fault.after) return false;
        return !fault.acted || !fault.cycles || cycle < fault.acted + fault.cycles;
    }

    // What stands still would have moved.
    void act(Channel channel, uint64_t cycle) {
        if (!m_faults[channel].acted) m_faults[channel].acted = cycle;
    }

    // An event: the wrong response to it, or `right`.
    uint32_t event(Channel channel, uint32_t right, uint64_t cycle) {
        Fault &fault = m_faults[channel];
        if (fault.kind == 0 || fault.after-- != 0) return right;
        fault.after = 0;
        if (fault.kind == HOLD) return right;
        const uint32_t response = fault.kind;
        fault.kind = 0;
        fault.acted = cycle;
        return response;
    }

  private:
    struct Fault {
        uint32_t kind;  // 0: none
        uint64_t after, cycles, acted;
    };

    Fault m_faults[CHANNELS] = {};
    bool m_on = false;
};
