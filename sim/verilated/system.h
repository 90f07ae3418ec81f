// What the ports of one core share: the memory behind them, the clock's count, and the list of broken rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "ddr.h"

constexpr int RESP_OKAY = 0;
constexpr int RESP_SLVERR = 2;

struct System {
    uint8_t *memory;
    uint64_t size;  // bytes
    uint64_t base;  // address of memory[0]
    uint64_t cycle = 0;
    std::deque<std::string> errors;
    Ddr ddr;
    bool board = false;  // bursts go through ddr, not by each port's latencies
    static constexpr size_t ERRORS_KEPT = 100;

    System(uint8_t *content, uint64_t bytes, uint64_t first) : memory(content), size(bytes), base(first) {}

    bool holds(uint64_t address, uint64_t bytes) const {
        return address >= base && bytes <= size && address - base <= size - bytes;
    }

    void error(const char *interface, const char *rule, uint64_t value) {
        if (errors.size() == ERRORS_KEPT) return;
        char text[200];
        snprintf(text, sizeof text, "cycle %llu, %s: %s (0x%llx)", static_cast<unsigned long long>(cycle), interface,
                 rule, static_cast<unsigned long long>(value));
        errors.emplace_back(text);
    }
};

// How one port behaves. Thresholds are probabilities times 2^32.
struct Behaviour {
    uint32_t read_latency = 20;   // cycles from the address's acceptance to the first beat, at the earliest
    uint32_t write_latency = 10;  // cycles from the last beat's acceptance to the response, at the earliest
    uint64_t stall = 0;           // a cycle of a channel is a stall
    uint64_t reorder = 0;         // a burst overtakes older ones of other IDs
    uint32_t outstanding = 16;    // bursts of each direction
};

// What one port has done; sim/memory_counters.py names these fields in this order.
struct PortCounters {
    uint64_t read_beats = 0, read_waiting = 0, read_held = 0;  // cycles: data taken, awaited, not taken by the core
    uint64_t read_bursts = 0, read_latency = 0, read_latency_max = 0;  // cycles from address to last beat, summed
    uint64_t write_beats = 0, write_waiting = 0;  // cycles: data taken, not taken by the memory
    uint64_t bytes_written = 0;  // as the strobes say

    void answered(uint64_t latency) {
        ++read_bursts;
        read_latency += latency;
        read_latency_max = std::max(read_latency_max, latency);
    }
};
