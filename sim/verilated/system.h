// What the ports of one core share: the memory behind them, the clock's count, and the list of broken rules.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

constexpr int RESP_OKAY = 0;
constexpr int RESP_SLVERR = 2;

struct System {
    uint8_t *memory;
    uint64_t size;  // bytes
    uint64_t base;  // address of memory[0]
    uint64_t cycle = 0;
    std::deque<std::string> errors;
    static constexpr size_t ERRORS_KEPT = 100;

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
