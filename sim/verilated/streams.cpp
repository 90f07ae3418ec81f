// Ports that read streams before the DDR model, without a core: what a program of sim/ddr_streams.py asks for.
//
// Standard input: the parameters (sim/verilated/ddr_parameters.h, as words), then runs: the seed, the time of a cycle,
// the number of ports, and for each port: number, cycle of its start, address, bytes, piece, stride, bytes a burst,
// bursts under way. A piece is contiguous; from one to the next it is `stride`. Standard output, a line a run: for each
// port the cycle after its last beat, then the rows opened.
#include <cstdio>
#include <deque>
#include <vector>

#include "ddr.h"

namespace {

constexpr uint64_t BEAT = 16;

struct Stream {
    uint32_t port = 0;
    uint64_t start = 0, address = 0, bytes = 0, piece = 0, stride = 0, burst = 0, under_way = 0;
    uint64_t sent = 0, taken = 0, beat = 0, since_pause = 0, end = 0;
    std::deque<uint32_t> tickets = {};

    uint64_t next() const { return address + sent / piece * stride + sent % piece; }
};

bool read(uint64_t &value) {
    unsigned long long number;
    if (scanf("%llu", &number) != 1) return false;
    value = number;
    return true;
}

void run(Ddr &ddr, std::vector<Stream> &streams) {
    const uint64_t beats_a_pause = ddr.dram.parameters.beats_a_pause;
    size_t left = 0;
    for (const Stream &stream : streams) left += stream.bytes != 0;
    for (uint64_t cycle = 0; left; ++cycle) {
        for (Stream &stream : streams)
            if (cycle >= stream.start && stream.sent < stream.bytes && stream.tickets.size() < stream.under_way) {
                stream.tickets.push_back(ddr.post(stream.port, false, stream.next(), stream.burst, cycle));
                stream.sent += stream.burst;
            }
        ddr.advance(cycle);
        for (Stream &stream : streams) {
            if (stream.since_pause == beats_a_pause && beats_a_pause) {
                stream.since_pause = 0;
                continue;
            }
            if (stream.tickets.empty()) continue;
            const uint32_t line = stream.tickets.front() + static_cast<uint32_t>(stream.beat * BEAT / LINE_BYTES);
            if (!ddr.done(stream.port, false, line, cycle)) continue;
            ++stream.since_pause;
            if (++stream.beat * BEAT == stream.burst) {
                stream.beat = 0;
                stream.tickets.pop_front();
            }
            stream.taken += BEAT;
            if (stream.taken == stream.bytes) {
                stream.end = cycle + 1;
                --left;
            }
        }
    }
}

}  // namespace

int main() {
    DdrParameters parameters;
    static_assert(sizeof parameters % sizeof(uint64_t) == 0);
    auto *word = reinterpret_cast<uint64_t *>(&parameters);
    for (size_t i = 0; i < sizeof parameters / sizeof *word; ++i)
        if (!read(word[i])) return 1;
    for (uint64_t seed, cycle_time, ports; read(seed) && read(cycle_time) && read(ports);) {
        std::vector<Stream> streams(ports);
        for (Stream &stream : streams) {
            uint64_t port;
            if (!read(port)) return 1;
            stream.port = static_cast<uint32_t>(port);
            for (uint64_t *value : {&stream.start, &stream.address, &stream.bytes, &stream.piece, &stream.stride,
                                    &stream.burst, &stream.under_way})
                if (!read(*value)) return 1;
        }
        Ddr ddr;
        ddr.start(0, cycle_time, seed, parameters);
        run(ddr, streams);
        for (const Stream &stream : streams) printf("%llu ", static_cast<unsigned long long>(stream.end));
        printf("%llu\n", static_cast<unsigned long long>(ddr.dram.counters.rows_opened));
    }
}
