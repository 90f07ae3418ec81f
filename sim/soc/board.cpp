// A board without a processor, driven from Python by way of sim/soc/verilated_board.py: the chip's Verilog with its SDRAM
// at the pins, and the host's end of the serial line.
//
// The top is `hw.soc.serial_soc` of a build, with a clock `clk`, one of the core's own, `clk_core`
// (sim/soc/core_clock.py), and a synchronous reset `rst`.

#include <algorithm>
#include <memory>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "chip.h"
#include "serial_line.h"
#include "verilated.h"

namespace {

// What has happened since the beginning; sim/soc/verilated_board.py names these fields in this order, and says which
// cycles are whose.
struct Counters {
    uint64_t cycles = 0, run = 0, line = 0, link = 0, host = 0, sent = 0, received = 0, broken = 0, runs = 0;
};

class Board {
  public:
    Board(uint8_t *memory, const SdramTimes &times, uint64_t baud, uint64_t clock)
        : m_context(new VerilatedContext), m_top(new Vtop(m_context.get())), m_period(1'000'000'000'000 / clock),
          m_chip(memory, times), m_line(baud, clock) {
        m_top->rx = 1;
        m_top->eval();  // what registers hold from the configuration on
        reset(RESET_CYCLES);
    }

    ~Board() {
        Verilated::threadContextp(m_context.get());
        m_top->final();
    }

    // The whole chip, as when its bitstream is loaded anew; the SDRAM keeps what it holds, and the line goes on.
    void reset(uint32_t cycles) {
        m_top->rst = 1;
        m_awake = AWAKE_AFTER_RESET;
        while (cycles--) step();
        m_top->rst = 0;
        m_quiet = 0;
    }

    // From signals settled before a rising edge to those before the next.
    void step() {
        const auto &top = *m_top->rootp;
        const bool run = top.top__DOT__core__DOT__control__DOT__run__DOT__busy;
        const bool link = top.top__DOT__link__DOT__buffers__DOT__ready;
        const bool idle_line = m_line.is_idle();
        ++m_counters.cycles;
        if (run) {
            ++m_counters.run;
            m_counters.runs += !m_ran;
        } else if (m_line.is_waiting()) {
            ++m_counters.host;
        } else if (!idle_line) {
            ++m_counters.line;
        } else if (link) {
            ++m_counters.link;
        }
        m_ran = run;
        // A core that nobody asks and whose run is over comes to rest; from then on its clock changes nothing in it.
        if (m_top->rst || top.top__DOT__core_reset__DOT__cut)
            m_awake = AWAKE_AFTER_RESET;
        else if (run || top.top__DOT__link__DOT__register_access__DOT__busy)
            m_awake = std::max(m_awake, AWAKE_AFTER_WORK);
        else if (m_awake)
            --m_awake;
        m_quiet = run || link || !idle_line || !top.top__DOT__memory__DOT__ready ? 0 : m_quiet + 1;
        m_chip.edge({bool(m_top->sdram_cke), bool(m_top->sdram_cs_n), bool(m_top->sdram_ras_n), bool(m_top->sdram_cas_n),
                     bool(m_top->sdram_we_n), m_top->sdram_ba, m_top->sdram_a, m_top->sdram_dqm, m_top->sdram_dq_o,
                     bool(m_top->sdram_dq_oe)},
                    m_time += m_period);
        const bool level = m_line.step(m_top->tx);
        m_top->clk = 1;
        m_top->clk_core = m_awake || !m_rests;
        m_top->eval();
        m_top->clk = m_top->clk_core = 0;
        m_top->sdram_dq_i = m_chip.dq();
        m_top->rx = level;
        m_top->eval();
    }

    // At most so many cycles, fewer where nothing is to do any more, or a byte has come from the board; how many.
    uint64_t run(uint64_t cycles, bool until_received) {
        uint64_t done = 0;
        while (done < cycles && m_quiet < QUIET_CYCLES && !(until_received && m_line.has_received())) {
            step();
            ++done;
        }
        return done;
    }

    // Until a run of the core begins, at most so many cycles.
    void run_to_start(uint64_t cycles) {
        while (cycles-- && !m_ran) step();
    }

    void send(const uint8_t *bytes, uint64_t count, uint64_t delay) {
        m_line.send(bytes, count, delay);
        m_quiet = 0;
    }

    // So many cycles, whatever they are for.
    void pass(uint64_t cycles) {
        while (cycles--) step();
    }

    // Whether the core's clock stands still while the core is at rest; the same cycles either way.
    void let_rest(bool rests) { m_rests = rests; }

    bool idle() const { return m_quiet >= QUIET_CYCLES; }
    bool running() const { return m_ran; }
    SerialLine &line() { return m_line; }
    SdramChip &chip() { return m_chip; }

    Counters counters() const {
        Counters result = m_counters;
        result.sent = m_line.sent;
        result.received = m_line.received;
        result.broken = m_line.broken;
        return result;
    }

    uint32_t lights() const { return m_top->light_alive | m_top->light_busy << 1 | m_top->light_error << 2; }

  private:
    static constexpr uint32_t RESET_CYCLES = 4;
    // Cycles: more than the drain behind a reset takes (hw/memory/drain.py), and than a core comes to rest in else.
    static constexpr uint64_t AWAKE_AFTER_RESET = 8192, AWAKE_AFTER_WORK = 1024;
    static constexpr uint64_t QUIET_CYCLES = 500;  // more than a frame spends between two units of the link

    std::unique_ptr<VerilatedContext> m_context;
    std::unique_ptr<Vtop> m_top;
    const uint64_t m_period;  // ps of a cycle
    SdramChip m_chip;
    SerialLine m_line;
    Counters m_counters;
    uint64_t m_quiet = 0, m_time = 0, m_awake = AWAKE_AFTER_RESET;
    bool m_ran = false, m_rests = true;
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

// times: `SdramTimes`, all of 64 bits.
EXPORT Board *board_new(uint8_t *memory, const uint64_t *times, uint64_t baud, uint64_t clock) {
    SdramTimes given;
    static_assert(sizeof given % sizeof *times == 0);
    std::copy_n(times, sizeof given / sizeof *times, reinterpret_cast<uint64_t *>(&given));
    return new Board(memory, given, baud, clock);
}
EXPORT void board_delete(Board *board) { delete board; }
EXPORT void board_reset(Board *board, uint32_t cycles) { board->reset(cycles); }
EXPORT void board_pass(Board *board, uint64_t cycles) { board->pass(cycles); }
EXPORT uint64_t board_run(Board *board, uint64_t cycles, bool until_received) {
    return board->run(cycles, until_received);
}
EXPORT void board_run_to_start(Board *board, uint64_t cycles) { board->run_to_start(cycles); }
EXPORT void board_send(Board *board, const uint8_t *bytes, uint64_t count, uint64_t delay) {
    board->send(bytes, count, delay);
}
EXPORT uint64_t board_receive(Board *board, uint8_t *bytes, uint64_t room) {
    return board->line().receive(bytes, room);
}
EXPORT void board_let_rest(Board *board, bool rests) { board->let_rest(rests); }
EXPORT bool board_idle(Board *board) { return board->idle(); }
EXPORT bool board_running(Board *board) { return board->running(); }
EXPORT uint32_t board_lights(Board *board) { return board->lights(); }
EXPORT void board_counters(Board *board, Counters *counters) { *counters = board->counters(); }

// How often each rule of the chip was broken, in their order.
EXPORT void board_findings(Board *board, uint64_t *counts) {
    for (const SdramChip::Finding &finding : board->chip().findings) *counts++ = finding.count;
}
// ACTIVATE, PRECHARGE, READ, WRITE and AUTO REFRESH so far.
EXPORT void board_commands(Board *board, uint64_t *counts) {
    static_assert(sizeof board->chip().counts == 5 * sizeof *counts);
    std::copy_n(reinterpret_cast<const uint64_t *>(&board->chip().counts), 5, counts);
}

EXPORT void board_plant(Board *board, bool to_host, uint32_t kind, uint32_t at, uint32_t bits) {
    (to_host ? board->line().to_host_faults : board->line().to_board_faults).plant({kind, at, bits});
}
EXPORT void board_clear_faults(Board *board) {
    board->line().to_host_faults.clear();
    board->line().to_board_faults.clear();
}
EXPORT uint64_t board_acted(Board *board) {
    return board->line().to_host_faults.acted() + board->line().to_board_faults.acted();
}
