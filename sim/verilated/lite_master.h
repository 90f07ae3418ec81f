// The processor's side of the core's AXI4-Lite register port: one access at a time, channels in any order.
#pragma once

#include "random.h"
#include "system.h"

template <class Top>
class LiteMaster {
  public:
    uint64_t stall = 0;  // probability times 2^32 that a channel waits a cycle

    LiteMaster(System &system, Top *top) : m_system(system), m_top(top) {}

    void seed(uint64_t value) { m_random = Random(value); }
    bool busy() const { return m_writing || m_reading; }
    uint32_t data() const { return m_data; }
    int response() const { return m_response; }

    void write(uint32_t offset, uint32_t value) {
        m_writing = m_send_address = m_send_data = true;
        m_offset = offset;
        m_data = value;
    }

    void read(uint32_t offset) {
        m_reading = m_send_address = true;
        m_offset = offset;
    }

    // Before the rising edge, with every signal settled: note what happens on it.
    void sample() {
        if (m_top->s_axi_awvalid && m_top->s_axi_awready) m_send_address = false;
        if (m_top->s_axi_wvalid && m_top->s_axi_wready) m_send_data = false;
        if (m_top->s_axi_arvalid && m_top->s_axi_arready) m_send_address = false;
        if (m_top->s_axi_bvalid && m_top->s_axi_bready) {
            if (!m_writing) m_system.error("s_axi", "a write response that nobody asked for", 0);
            m_response = m_top->s_axi_bresp;
            m_writing = false;
        }
        if (m_top->s_axi_rvalid && m_top->s_axi_rready) {
            if (!m_reading) m_system.error("s_axi", "read data that nobody asked for", m_top->s_axi_rdata);
            m_response = m_top->s_axi_rresp;
            m_data = m_top->s_axi_rdata;
            m_reading = false;
        }
    }

    // After the rising edge: show what the master drives in the next cycle. Once shown, valid holds.
    void drive() {
        m_top->s_axi_awvalid = m_writing && m_send_address && (m_top->s_axi_awvalid || !stalls());
        m_top->s_axi_wvalid = m_writing && m_send_data && (m_top->s_axi_wvalid || !stalls());
        m_top->s_axi_arvalid = m_reading && m_send_address && (m_top->s_axi_arvalid || !stalls());
        m_top->s_axi_awaddr = m_top->s_axi_araddr = m_offset;
        m_top->s_axi_wdata = m_data;
        m_top->s_axi_wstrb = 0xF;
        m_top->s_axi_bready = !stalls();
        m_top->s_axi_rready = !stalls();
    }

    void reset() {
        m_writing = m_reading = m_send_address = m_send_data = false;
        m_top->s_axi_awvalid = m_top->s_axi_wvalid = m_top->s_axi_arvalid = 0;
        m_top->s_axi_bready = m_top->s_axi_rready = 0;
    }

  private:
    bool stalls() { return m_random.chance(stall); }

    System &m_system;
    Top *m_top;
    Random m_random;
    bool m_writing = false, m_reading = false, m_send_address = false, m_send_data = false;
    uint32_t m_offset = 0, m_data = 0;
    int m_response = RESP_OKAY;
};
