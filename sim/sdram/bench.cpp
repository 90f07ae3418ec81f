// An SDRAM controller under Verilator between AXI masters and the chip's model; see sim/sdram/bench.py.
//
// Module top: axi__<n>__<signal>, pins__<signal>, ready, clk, rst; Verilator writes the second of two underscores as 05F.
#include <memory>
#include <vector>

#include "Vtop.h"
#include "chip.h"
#include "traffic.h"

namespace {

#define BIND(n)                                                                                                      \
    TrafficPort {                                                                                                    \
        &top->axi___05F##n##___05Farid, &top->axi___05F##n##___05Farlen, &top->axi___05F##n##___05Farsize, &top->axi___05F##n##___05Farburst,        \
            &top->axi___05F##n##___05Farvalid, &top->axi___05F##n##___05Farready, &top->axi___05F##n##___05Frid, &top->axi___05F##n##___05Frresp,    \
            &top->axi___05F##n##___05Frlast, &top->axi___05F##n##___05Frvalid, &top->axi___05F##n##___05Frready, &top->axi___05F##n##___05Fawid,     \
            &top->axi___05F##n##___05Fawlen, &top->axi___05F##n##___05Fawsize, &top->axi___05F##n##___05Fawburst, &top->axi___05F##n##___05Fawvalid, \
            &top->axi___05F##n##___05Fawready, &top->axi___05F##n##___05Fwlast, &top->axi___05F##n##___05Fwvalid, &top->axi___05F##n##___05Fwready,  \
            &top->axi___05F##n##___05Fbid, &top->axi___05F##n##___05Fbresp, &top->axi___05F##n##___05Fbvalid, &top->axi___05F##n##___05Fbready,      \
            &top->axi___05F##n##___05Faraddr, &top->axi___05F##n##___05Fawaddr, &top->axi___05F##n##___05Frdata[0],                          \
            &top->axi___05F##n##___05Fwdata[0], &top->axi___05F##n##___05Fwstrb                                                      \
    }

std::vector<TrafficPort> ports_of(Vtop *top) {
    return {BIND(0),
#if MASTERS > 1
            BIND(1)
#endif
    };
}

class Bench {
  public:
    VerilatedContext context;
    std::unique_ptr<Vtop> top{new Vtop(&context, "top")};
    SdramChip chip;
    uint64_t cycle = 0;

    Bench(uint8_t *memory, const SdramTimes &times, uint64_t period, bool shifted)
        : chip(memory, times), m_period(period), m_shifted(shifted) {
        top->rst = 1;
        for (int n = 0; n < 3; ++n) step([] {}, [] {});
        top->rst = 0;
    }

    // A cycle of the controller's clock. The chip's edge is the same one, or half a cycle later.
    template <class Before, class After>
    void step(Before before, After after) {
        top->clk = 0;
        top->eval();
        before();
        const uint64_t now = (cycle + 1) * m_period;
        const SdramPins old = pins();
        if (!m_shifted) chip.edge(old, now);
        top->clk = 1;
        top->eval();
        after();
        top->eval();
        if (m_shifted) chip.edge(pins(), now + m_period / 2);
        top->pins___05Fdq_i = static_cast<uint16_t>(chip.dq());
        ++cycle;
    }

  private:
    SdramPins pins() const {
        return {top->pins___05Fcke != 0, top->pins___05Fcs_n != 0, top->pins___05Fras_n != 0, top->pins___05Fcas_n != 0,
                top->pins___05Fwe_n != 0, top->pins___05Fba, top->pins___05Fa, top->pins___05Fdqm, top->pins___05Fdq_o,
                top->pins___05Fdq_oe != 0};
    }

    uint64_t m_period;
    bool m_shifted;
};

}  // namespace

extern "C" {

Bench *bench_new(uint8_t *memory, const uint64_t *times, uint64_t period, uint64_t shifted) {
    SdramTimes given;
    std::copy_n(times, sizeof given / sizeof *times, reinterpret_cast<uint64_t *>(&given));
    return new Bench(memory, given, period, shifted != 0);
}

void bench_delete(Bench *bench) { delete bench; }

// Run the masters' lists to their ends, or for so many cycles; the errors of the slave, ~0 where time ran out.
uint64_t bench_run(Bench *bench, TrafficBurst **bursts, const uint64_t *counts, uint8_t **data, uint16_t **strobes,
                   uint64_t pause, uint64_t under_way, uint64_t seed, uint64_t cycles) {
    std::vector<TrafficMaster> masters;
    const std::vector<TrafficPort> ports = ports_of(bench->top.get());
    for (size_t n = 0; n < ports.size(); ++n)
        masters.emplace_back(ports[n], bursts[n], counts[n], data[n], strobes[n], pause, under_way, seed + n);
    uint64_t errors = 0;
    for (uint64_t left = cycles; left; --left) {
        bool finished = true;
        for (const TrafficMaster &master : masters) finished = finished && master.finished();
        if (finished) {
            for (const TrafficMaster &master : masters) errors += master.errors;
            return errors;
        }
        bench->step([&] { for (TrafficMaster &master : masters) master.sample(bench->cycle); },
                    [&] { for (TrafficMaster &master : masters) master.drive(); });
    }
    return ~uint64_t{0};
}

void bench_idle(Bench *bench, uint64_t cycles) {
    while (cycles--) bench->step([] {}, [] {});
}

uint64_t bench_ready(const Bench *bench) { return bench->top->ready; }
uint64_t bench_cycle(const Bench *bench) { return bench->cycle; }
void bench_check_rows(Bench *bench) { bench->chip.check_rows(); }

void bench_findings(const Bench *bench, uint64_t *counts) {
    for (const SdramChip::Finding &finding : bench->chip.findings) *counts++ = finding.count;
}

void bench_counts(const Bench *bench, uint64_t *counts) {
    std::copy_n(reinterpret_cast<const uint64_t *>(&bench->chip.counts), 5, counts);
}
}
