// A Verilated core with its processor and its memory, driven from Python by way of sim/verilated_core.py.
//
// The top has a clock `clk`, a synchronous reset `rst`, an AXI4-Lite slave `s_axi_*`, PORTS AXI4 masters
// `m0_axi_*` ... and a level `irq`; PORTS is given by the compiler's command line, 1 to 4.

#include <memory>

#include "Vtop.h"
#include "activity.h"
#include "axi_memory.h"
#include "lite_master.h"
#include "system.h"
#include "verilated.h"
#ifdef WATCHED  // the accelerator, of which sim/verilated/watched.vlt makes some signals visible
#include "Vtop___024root.h"
#endif
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

#define FIELD(port, signal) \
    static auto *signal(Vtop *top) { return &top->m##port##_axi_##signal; }
#define SIGNALS(port)                                                                                          \
    struct Signals##port {                                                                                     \
        static constexpr const char *name = "m" #port "_axi";                                                  \
        static constexpr uint32_t index = port;                                                                \
        FIELD(port, arid) FIELD(port, araddr) FIELD(port, arlen) FIELD(port, arsize) FIELD(port, arburst)      \
        FIELD(port, arvalid) FIELD(port, arready)                                                              \
        FIELD(port, rid) FIELD(port, rdata) FIELD(port, rresp) FIELD(port, rlast) FIELD(port, rvalid)          \
        FIELD(port, rready)                                                                                    \
        FIELD(port, awid) FIELD(port, awaddr) FIELD(port, awlen) FIELD(port, awsize) FIELD(port, awburst)      \
        FIELD(port, awvalid) FIELD(port, awready)                                                              \
        FIELD(port, wdata) FIELD(port, wstrb) FIELD(port, wlast) FIELD(port, wvalid) FIELD(port, wready)       \
        FIELD(port, bid) FIELD(port, bresp) FIELD(port, bvalid) FIELD(port, bready)                            \
    };

#define EACH_1(what) what(0)
#define EACH_2(what) EACH_1(what) what(1)
#define EACH_3(what) EACH_2(what) what(2)
#define EACH_4(what) EACH_3(what) what(3)
#define JOIN(a, b) a##b
#define EACH_OF(count, what) JOIN(EACH_, count)(what)
#define EACH_PORT(what) EACH_OF(PORTS, what)

EACH_PORT(SIGNALS)

namespace {

constexpr uint64_t ACCESS_LIMIT = 100000;  // cycles until a register access that is not answered is given up
constexpr int NO_ANSWER = -1;

// The signals to write to a file: those of an instance and below (all, if `scope` is empty) from cycle `first` until
// before `end`. Half a cycle takes `half` picoseconds.
struct Waves {
    const char *path;
    const char *scope;
    uint64_t first, end, half;
};

class Core {
  public:
    Core(uint8_t *memory, uint64_t size, uint64_t base, const Waves &waves)
        : m_system{memory, size, base}, m_context(new VerilatedContext), m_top(new Vtop(m_context.get())) {
#if VM_TRACE
        if (waves.path) {
            m_waves = waves;
            m_context->traceEverOn(true);
            m_trace.reset(new VerilatedFstC);
            m_trace->set_time_resolution("1ps");
            m_top->trace(m_trace.get(), ALL_LEVELS);
            if (*waves.scope) m_trace->dumpvars(ALL_LEVELS, waves.scope);
            m_trace->open(waves.path);
        }
#else
        (void)waves;
#endif
        reset(4);
    }

    ~Core() {
        Verilated::threadContextp(m_context.get());  // of which the design takes its names away, another core's or not
        m_top->final();
#if VM_TRACE
        if (m_trace) m_trace->close();
#endif
    }

    void reset(uint32_t cycles) {
#define RESET(port) m_port##port.reset();
        m_lite.reset();
        m_system.ddr.reset();
        EACH_PORT(RESET)
        m_top->rst = 1;
        while (cycles--) {
            settle();
            ++m_system.cycle;
            rise();
        }
        m_top->rst = 0;
        drive();
        settle();
    }

    // Reset the core while the memory goes on: it answers what it was asked. forget: but for writes whose data did not
    // all come.
    void reset_alone(uint32_t cycles, bool forget) {
#define RESET_MASTER(port) m_port##port.reset_master(forget);
        m_lite.reset();
        m_top->rst = 1;
        settle();
        while (cycles--) {
            step();
            EACH_PORT(RESET_MASTER)
        }
        m_top->rst = 0;
        settle();
    }

    // One cycle, from settled signals before the rising edge to settled signals before the next.
    void step() {
#define SAMPLE(port) m_port##port.sample();
        if (m_activity.on()) watch();
        m_lite.sample();
        EACH_PORT(SAMPLE)
        ++m_system.cycle;
        if (m_system.board || m_system.ddr.is_busy()) m_system.ddr.advance(m_system.cycle);
        rise();
        drive();
        settle();
    }

    uint64_t run(uint64_t cycles, bool until_irq) {
        uint64_t done = 0;
        while (done < cycles && !(until_irq && m_top->irq)) {
            step();
            ++done;
        }
        return done;
    }

    int access() {
        for (uint64_t i = 0; i < ACCESS_LIMIT; ++i) {
            step();
            if (!m_lite.busy()) return m_lite.response();
        }
        m_lite.reset();
        return NO_ANSWER;
    }

    void configure(int port, const Behaviour &behaviour) {
#define CONFIGURE(index) \
    if (port == index || port < 0) m_port##index.behaviour = behaviour;
        EACH_PORT(CONFIGURE)
        if (port < 0) m_lite.stall = behaviour.stall;
    }

    // From now on bursts go through the board's DDR controller, a cycle taking `cycle_time`; 0 for not through it.
    void use_ddr(uint64_t cycle_time, uint64_t seed, const DdrParameters *parameters) {
        m_system.board = cycle_time != 0;
        if (m_system.board) m_system.ddr.start(m_system.cycle, cycle_time, seed, *parameters);
    }

    void seed(uint64_t value) {
#define SEED(port) m_port##port.seed(value * 16 + port);
        EACH_PORT(SEED)
        m_lite.seed(value * 16 + 15);
    }

    PortCounters counters(int port) const {
#define COUNTERS(index) \
    if (port == index) return m_port##index.counters;
        EACH_PORT(COUNTERS)
        return {};
    }

    PortFaults *faults(int port) {
#define FAULTS(index) \
    if (port == index) return &m_port##index.faults;
        EACH_PORT(FAULTS)
        return nullptr;
    }

    bool irq() const { return m_top->irq; }
    LiteMaster<Vtop> &lite() { return m_lite; }
    System &system() { return m_system; }
    Activity &activity() { return m_activity; }

  private:
    void drive() {
#define DRIVE(port) m_port##port.drive();
        m_lite.drive();
        EACH_PORT(DRIVE)
    }

    void rise() {
        m_top->clk = 1;
        evaluate(2 * m_system.cycle);
    }

    // The falling edge, on which nothing happens, together with the new inputs.
    void settle() {
        m_top->clk = 0;
        evaluate(2 * m_system.cycle + 1);
    }

    // half_cycles: since the beginning.
    void evaluate(uint64_t half_cycles) {
        m_top->eval();
#if VM_TRACE
        if (!m_trace || half_cycles < m_after || m_system.cycle < m_waves.first || m_system.cycle >= m_waves.end) return;
        m_trace->dump(half_cycles * m_waves.half);
        m_after = half_cycles + 1;
#else
        (void)half_cycles;
#endif
    }

    // What works in this cycle, all signals being settled.
    void watch() {
#ifdef WATCHED
#define QUEUE(engine) m_top->rootp->top__DOT__control__DOT__queue_##engine##__DOT__busy
        const uint64_t working = QUEUE(fetch) | QUEUE(load) << 1 | QUEUE(linear) << 2 | QUEUE(vector) << 3 |
                                 QUEUE(attend) << 4 | QUEUE(head) << 5 |
                                 m_top->rootp->top__DOT__control__DOT__run__DOT__busy << 6;
        if (!m_activity.is_due(working)) return;
        m_activity.add(m_system.cycle);
        m_activity.add(working);
        for (int port = 0; port < PORTS; ++port)
            m_activity.add(counters(port).read_beats * AxiMemory<Signals0, Vtop>::beat_bytes());
        for (int port = 0; port < PORTS; ++port) m_activity.add(counters(port).bytes_written);
#endif
    }

    System m_system;
    std::unique_ptr<VerilatedContext> m_context;
    std::unique_ptr<Vtop> m_top;
#if VM_TRACE
    static constexpr int ALL_LEVELS = 99;
    std::unique_ptr<VerilatedFstC> m_trace;
    Waves m_waves{};
    uint64_t m_after = 0;  // half cycles from which on nothing is written yet
#endif
    Activity m_activity;
    LiteMaster<Vtop> m_lite{m_system, m_top.get()};
#define PORT(index) AxiMemory<Signals##index, Vtop> m_port##index{m_system, m_top.get()};
    EACH_PORT(PORT)
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Core *core_new(uint8_t *memory, uint64_t size, uint64_t base, const char *waves, const char *scope,
                      uint64_t first, uint64_t end, uint64_t half) {
    return new Core(memory, size, base, Waves{waves, scope, first, end, half});
}

EXPORT void core_delete(Core *core) { delete core; }
EXPORT void core_reset(Core *core, uint32_t cycles) { core->reset(cycles); }
EXPORT void core_reset_alone(Core *core, uint32_t cycles, bool forget) { core->reset_alone(cycles, forget); }

EXPORT void core_plant(Core *core, int port, uint32_t channel, uint32_t kind, uint64_t after, uint64_t cycles) {
    core->faults(port)->plant(channel, kind, after, cycles);
}

EXPORT void core_clear_faults(Core *core, int port) { core->faults(port)->clear(); }
EXPORT uint64_t core_fault_acted(Core *core, int port, uint32_t channel) { return core->faults(port)->acted(channel); }
EXPORT uint32_t core_beat_bytes() { return AxiMemory<Signals0, Vtop>::beat_bytes(); }
EXPORT uint64_t core_run(Core *core, uint64_t cycles, bool until_irq) { return core->run(cycles, until_irq); }
EXPORT bool core_irq(Core *core) { return core->irq(); }
EXPORT uint64_t core_cycle(Core *core) { return core->system().cycle; }
EXPORT void core_seed(Core *core, uint64_t value) { core->seed(value); }

EXPORT void core_configure(Core *core, int port, uint32_t read_latency, uint32_t write_latency, uint64_t stall,
                           uint64_t reorder, uint32_t outstanding) {
    core->configure(port, Behaviour{read_latency, write_latency, stall, reorder, outstanding});
}

EXPORT void core_use_ddr(Core *core, uint64_t cycle_time, uint64_t seed, const DdrParameters *parameters) {
    core->use_ddr(cycle_time, seed, parameters);
}
EXPORT void core_port_counters(Core *core, int port, PortCounters *counters) { *counters = core->counters(port); }
EXPORT void core_ddr_counters(Core *core, DramCounters *counters) { *counters = core->system().ddr.dram.counters; }

// The response, or NO_ANSWER.
EXPORT int core_write_register(Core *core, uint32_t offset, uint32_t value) {
    core->lite().write(offset, value);
    return core->access();
}

EXPORT int core_read_register(Core *core, uint32_t offset, uint32_t *value) {
    core->lite().read(offset);
    const int response = core->access();
    *value = core->lite().data();
    return response;
}

EXPORT void core_watch(Core *core, uint64_t interval) { core->activity().start(interval); }

// How many numbers the records have together; they go to `target`, if it is there.
EXPORT uint64_t core_activity(Core *core, uint64_t *target) {
    const auto &records = core->activity().records();
    if (target) std::copy(records.begin(), records.end(), target);
    return records.size();
}

// Takes the oldest broken rule off the list; false where there is none.
EXPORT bool core_take_error(Core *core, char *text, uint64_t room) {
    auto &errors = core->system().errors;
    if (errors.empty()) return false;
    snprintf(text, room, "%s", errors.front().c_str());
    errors.pop_front();
    return true;
}
