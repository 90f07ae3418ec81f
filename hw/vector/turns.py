"""Who has what the vector engine's units share: one of them works at a time, by the kind of the command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect

from hw.arith.scalar_unit import ScalarUnit
from hw.memory.burst_former import BurstFormer
from hw.vector.channel_memories import ChannelMemories
from hw.vector.head_path import HeadPath
from hw.vector.norm_path import NormPath
from hw.vector.residual import ResidualAdd
from hw.vector.row_control import RowControl
from hw.vector.select import Select
from hw.vector.store import Store

__all__ = ["share_attention", "share_channels", "share_former", "share_scalar", "share_sums", "share_words"]


def share_scalar(m: Module, unit: ScalarUnit, ports: Iterable[wiring.PureInterface]) -> None:
    """One `ScalarUnit` for several `ScalarPort`s, of which one asks at a time."""
    for port in ports:
        with m.If(port.operands.valid):
            m.d.comb += [unit.i.p.eq(port.operands.p), unit.i.valid.eq(1)]
        with m.If(port.result.ready):
            m.d.comb += unit.o.ready.eq(1)
        m.d.comb += [port.operands.ready.eq(unit.i.ready), port.result.p.eq(unit.o.p),
                     port.result.valid.eq(unit.o.valid)]


def share_words(m: Module, shared: wiring.Component, users: Sequence[tuple[wiring.PureInterface, Value]]) -> None:
    """One unit from words to results for several ports, each with whether its kind is at work."""
    m.d.comb += shared.i.valid.eq(Cat(user.words.valid for user, _ in users).any())
    for user, at_work in users:
        with m.If(at_work):
            m.d.comb += shared.i.p.eq(user.words.p)
        m.d.comb += [user.results.valid.eq(shared.o.valid & at_work), user.results.p.eq(shared.o.p)]


def share_channels(m: Module, channels: ChannelMemories, kind: data.View, *, norm: NormPath, add: ResidualAdd,
                   select: Select, store: Store) -> None:
    """Gains and residual stream."""
    connect(m, add.o_write, channels.i_residual)
    m.d.comb += [
        channels.gain.index.eq(Mux(kind.selecting, select.gain.index, norm.gain.index)),
        channels.gain_hold.eq(select.hold),
        norm.gain.word.eq(channels.gain.word), select.gain.word.eq(channels.gain.word),
        channels.residual.index.eq(Mux(kind.adding, add.memory.index, Mux(
            kind.storing, store.memory.index, norm.memory.index))),
        *(user.memory.word.eq(channels.residual.word) for user in (add, norm, store)),
    ]


def share_sums(m: Module, request: wiring.PureInterface, sums: wiring.PureInterface, kind: data.View, row: data.View, *,
               control: RowControl, norm: NormPath, heads: HeadPath, add: ResidualAdd, select: Select,
               store: Store) -> None:
    """The row's sums: asked for by control, or by a norm (its gate's) or a store themselves."""
    m.d.comb += [
        request.p.row.eq(row.index), request.p.accumulator.eq(row.accumulator), request.p.count.eq(row.count),
        request.valid.eq(Mux(kind.norming, norm.o_gate.valid, control.ask | store.o_sums.valid)),
        norm.o_gate.ready.eq(request.ready), control.ask_ready.eq(request.ready), store.o_sums.ready.eq(request.ready),
        sums.ready.eq((kind.norming & norm.i_gate.ready) | (kind.selecting & select.i.ready) | kind.adding
                      | (kind.heading & heads.i_sums.ready) | store.i_sums.ready),
    ]
    for taker, at_work in ((norm.i_gate, kind.norming), (add.i, kind.adding), (heads.i_sums, kind.heading),
                           (select.i, kind.selecting), (store.i_sums, kind.storing)):
        m.d.comb += [taker.valid.eq(sums.valid & at_work), taker.p.eq(sums.p)]


def share_attention(m: Module, request: wiring.PureInterface, results: wiring.PureInterface, kind: data.View, *,
                    norm: NormPath, store: Store) -> None:
    """Attention's results."""
    m.d.comb += [
        request.valid.eq(norm.o_attention.valid | store.o_attention.valid),
        request.p.eq(Mux(kind.storing, store.o_attention.p, norm.o_attention.p)),
        *(user.o_attention.ready.eq(request.ready) for user in (norm, store)),
        results.ready.eq(~kind.storing | store.i_attention.ready),
        norm.i_attention.valid.eq(results.valid & kind.norming), norm.i_attention.p.eq(results.p),
        store.i_attention.valid.eq(results.valid & kind.storing), store.i_attention.p.eq(results.p),
    ]


def share_former(m: Module, former: BurstFormer, kind: data.View, *, heads: HeadPath, store: Store) -> None:
    """The way to memory."""
    of_heads, of_store = heads.write, store.write
    m.d.comb += [
        former.i.beat.valid.eq(of_heads.beat.valid | of_store.beat.valid),
        former.i.beat.p.eq(Mux(kind.storing, of_store.beat.p, of_heads.beat.p)),
        *(user.room.eq(former.i.room) for user in (of_heads, of_store)),
        *(user.idle.eq(former.i.idle) for user in (of_heads, of_store)),
    ]
