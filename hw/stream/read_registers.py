"""From a memory's read port through two registers to a stream, as UltraRAM needs at full clock."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

__all__ = ["read_registers"]


def read_registers(m: Module, read, address: Value, available: Value, o) -> Signal:
    """Give the words that `read`, a memory's synchronous port, finds at `address` on the stream `o`, in order.

    The memory is read ahead into its output register and from there into one more: latency 2 cycles, a word a cycle;
    `o.valid` and its payload come from registers alone. Returns a signal that is high in a cycle in which the word at
    `address` is taken: it is `available`, and there is room behind the memory.
    """
    fetched = Signal()  # the memory's output register holds a word
    fetch_ready, output_ready, fetch = Signal(), Signal(), Signal()
    output = Signal.like(read.data, reset_less=True)
    m.d.comb += [
        output_ready.eq(~o.valid | o.ready),
        fetch_ready.eq(~fetched | output_ready),
        fetch.eq(fetch_ready & available),
        read.en.eq(fetch_ready),
        read.addr.eq(address),
        o.payload.eq(output),
    ]
    m.d.sync += [
        fetched.eq(Mux(fetch_ready, available, fetched)),
        o.valid.eq(Mux(output_ready, fetched, o.valid)),
    ]
    with m.If(output_ready):
        m.d.sync += output.eq(read.data)
    return fetch
