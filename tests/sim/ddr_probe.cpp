// Prints times of the DDR model that no fabric can see one by one; tests/sim/test_ddr.py compiles and reads it, and
// writes the parameters, as words, to its standard input.
#include <cstdio>

#include "ddr.h"

namespace {

DdrParameters parameters;

constexpr uint64_t GROUP = 64, BANK = 1 << 14, ROW = 1 << 16;
double ns(Time time) { return static_cast<double>(time) / NANOSECOND; }

// Column command to column command, both rows open long before.
double gap(bool write, uint64_t address, bool next_write, uint64_t next_address) {
    Dram dram;
    dram.parameters = parameters;
    const Dram::Place first = Dram::place(address), second = Dram::place(next_address);
    dram.open(first, 0);
    if (!dram.is_open(second)) dram.open(second, 1000);
    const Time at = dram.earliest(first, write, 100000);
    dram.transfer(first, write, at);
    return ns(dram.earliest(second, next_write, at) - at);
}

// Column command to the first one in another row of the bank, which is asked for at once.
double row_change(bool write) {
    Dram dram;
    dram.parameters = parameters;
    dram.open(Dram::place(0), 0);
    const Time at = dram.earliest(Dram::place(0), write, 100000);
    dram.transfer(Dram::place(0), write, at);
    dram.open(Dram::place(ROW), at);
    return ns(dram.earliest(Dram::place(ROW), false, at) - at);
}

// From the first to the last of `count` rows opened in as many banks at once.
double activates(uint64_t count) {
    Dram dram;
    dram.parameters = parameters;
    for (uint64_t i = 0; i < count; ++i) dram.open(Dram::place(i / 2 * BANK + i % 2 * GROUP), 1000);
    const Dram::Place last = Dram::place((count - 1) / 2 * BANK + (count - 1) % 2 * GROUP);
    return ns(dram.earliest(last, false, 0) - dram.earliest(Dram::place(0), false, 0));
}

// Cycles until a line is back (or a write stored) from an idle memory; with more reads beside it than it can serve.
uint64_t cycles(bool write, bool beside, uint64_t seed) {
    Ddr ddr;
    ddr.start(0, 4 * NANOSECOND, seed, parameters);
    uint64_t cycle = 0;
    for (; cycle < 100; ++cycle) {
        if (beside && cycle % 3 == 0) ddr.post(0, false, cycle * 64, 256, cycle);
        ddr.advance(cycle);
    }
    const uint64_t begin = cycle;
    const uint32_t ticket = ddr.post(3, write, 1 << 20, 16, cycle);
    for (;; ++cycle) {
        if (beside && cycle % 3 == 0) ddr.post(0, false, cycle * 64, 256, cycle);
        ddr.advance(cycle);
        if (write ? ddr.dram.counters.lines_written > 0 : ddr.done(3, false, ticket, cycle)) return cycle - begin;
    }
}

// Cycles from the first to the last of 32 lines of two ports, asked for at once.
uint64_t two_ports(uint32_t first, uint32_t second, uint64_t seed) {
    Ddr ddr;
    ddr.start(0, 4 * NANOSECOND, seed, parameters);
    uint32_t tickets[2] = {0, 0};
    for (uint64_t i = 0; i < 4; ++i) {
        tickets[0] = ddr.post(first, false, i * 512, 256, 0) + 3;
        tickets[1] = ddr.post(second, false, i * 512 + 256, 256, 0) + 3;
    }
    uint64_t begin = 0;
    for (uint64_t cycle = 0;; ++cycle) {
        ddr.advance(cycle);
        if (!begin && ddr.done(first, false, 0, cycle)) begin = cycle;
        if (ddr.done(first, false, tickets[0], cycle) && ddr.done(second, false, tickets[1], cycle))
            return cycle - begin;
    }
}

// The least of ten: without a refresh in between.
template <class Measure>
unsigned long long least(Measure measure) {
    uint64_t best = ~uint64_t{0};
    for (uint64_t seed = 0; seed < 10; ++seed) best = std::min<uint64_t>(best, measure(seed));
    return best;
}

}  // namespace

int main() {
    auto *word = reinterpret_cast<uint64_t *>(&parameters);
    for (size_t i = 0; i < sizeof parameters / sizeof *word; ++i) {
        unsigned long long value;
        if (scanf("%llu", &value) != 1) return 1;
        word[i] = value;
    }
    printf("read read other_group %g\n", gap(false, 0, false, GROUP));
    printf("read read same_group %g\n", gap(false, 0, false, 2 * GROUP));
    printf("read write %g\n", gap(false, 0, true, GROUP));
    printf("write read %g\n", gap(true, 0, false, GROUP));
    printf("row_change after_read %g\n", row_change(false));
    printf("row_change after_write %g\n", row_change(true));
    printf("activates two %g\n", activates(2));
    printf("activates eight %g\n", activates(8));
    printf("alone read %llu\n", least([](uint64_t seed) { return cycles(false, false, seed); }));
    printf("beside write %llu\n", least([](uint64_t seed) { return cycles(true, true, seed); }));
    printf("two_ports apart %llu\n", least([](uint64_t seed) { return two_ports(0, 3, seed); }));
    printf("two_ports shared %llu\n", least([](uint64_t seed) { return two_ports(1, 2, seed); }));
}
