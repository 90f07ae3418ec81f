"""Sites of the engine from its structure: linear engine, weight buffer, ports, sequencer.

Memories are counted from widths and depths. LUTs of what repeats (tables, fillers, adder trees, decoders, gearbox,
accumulators) are counted from the structure, with what one piece takes as Yosys maps it; the rest (counters, state
machines, the sequencer) is a constant and a figure for each port. Flip-flops are not predicted: they never bind.
"""

from __future__ import annotations

from dataclasses import replace

from hw.analytic.blocks import block_memory, lutram
from hw.boards.device import NONE, Resources
from hw.boards.registry import board_of
from hw.boards.technology import Technology
from hw.linear.gearbox_units import GearboxUnits
from hw.memory.ram_style import ULTRA_BUFFER_STEPS, in_ultra_ram
from models.machine.build import CACHE_READER_BEATS, CHANNEL_UNIT, PORT_BYTES, PORT_FIFO_BEATS, BuildParameters

__all__ = ["PREDICTED", "engine_sites", "engine_terms", "linear_terms", "unit_sites"]

PREDICTED = ("lut", "lutram", "dsp", "bram36", "uram")
"""Names of the sites that are predicted."""

_ENTRY_BITS, _SUM_BITS, _INDEX_BITS = 10, 24, 5
_TABLE_DEPTH = 64  # two banks of 32
_BANKS = 2  # of the accumulators
_READERS, _READER_WORDS = 2, 4

# LUTs of one piece. Run: Yosys on that unit alone. Estimate: from the sources.
_FILLER = 27  # LookupTable, run: the running sum of one row, a 10-bit adder behind a choice of three activations
_DECODER = 55  # Base3Decoder, estimate: eleven functions of a byte, four LUTs each and one that chooses
_INDEX = 3  # StepGearbox, estimate: the five index bits of a group
_READER = 164  # AccumulatorReader, run: beside its FIFO
_ISSUE = 320  # StepIssue 95 and TableFill 131, runs; WeightBuffer, estimate
_PORT = 260  # PortFifos, StreamFetcher, ReadMaster, estimate: a port's counters and state
_CONTROL = 2_227  # ControlSystem, run: beside its queues
_QUEUES, _DESCRIPTORS, _DESCRIPTOR_BITS = 6, 8, 512
_QUEUE_BLOCKS = 24  # ULX3S, run: of those where they lie in blocks, for what engines read of a descriptor
_CLIENTS = 1_470  # MemorySystem, estimate: two Readers, Loader, WriteMaster, StreamRouter
_GATHER = 300  # RowGather 170, run; estimate: the FIFO of its rows, and whose piece and tag go on
_GATHER_DSP = 2
_CLIENT_BLOCKS = 8.5  # ULX3S, run: where the clients' FIFOs lie in blocks
_CACHE_READER = 230  # Reader, estimate: one a port

_CACHE_FIFO = block_memory(PORT_BYTES * 8, CACHE_READER_BEATS, ultra=False)


def engine_sites(build: BuildParameters) -> Resources:
    """All of the engine, on its board's technology."""
    return sum(engine_terms(build).values(), NONE)


def engine_terms(build: BuildParameters) -> dict[str, Resources]:
    """The engine by what its sites are for."""
    technology = board_of(build).technology
    others = {"ports": _ports(build), "clients of the ports": _clients(build, technology),
              "sequencer": _sequencer(technology)}
    return linear_terms(build) | _mapped(others, technology)


def unit_sites(build: BuildParameters, unit: str | None) -> Resources | None:
    """What `hw.report --unit` counts: "engine" or "linear"; None for what is not predicted."""
    terms = {"engine": engine_terms, "linear": linear_terms}
    return sum(terms[unit](build).values(), NONE) if unit in terms else None


def linear_terms(build: BuildParameters) -> dict[str, Resources]:
    """The linear engine by what its sites are for."""
    rows, outputs, tables, technology = build.rows, build.outputs_per_step, build.tables, board_of(build).technology
    copies = tables * lutram(_ENTRY_BITS * rows, _TABLE_DEPTH, outputs, technology)
    return _mapped({
        "tables": _luts(copies, copies),
        "fillers": _luts(tables * rows * _FILLER),
        "adder trees": _luts(rows * outputs * _tree(tables)),
        "decoders": _luts(build.beat_bytes * _DECODER),
        "gearbox": _luts(_gearbox(build)),
        "weight buffer": _weight_buffer(build, technology),
        "accumulators": _accumulators(build, technology),
        "activations": _activations(build, technology),
        "issue and readers": _issue(build, technology),
    }, technology)


def _mapped(terms: dict[str, Resources], technology: Technology) -> dict[str, Resources]:
    """The terms with the family's LUTs: logic grows by its factor, memory was counted in its own shapes."""
    return {name: replace(term, lut=term.lutram + round(technology.lut_factor * (term.lut - term.lutram)))
            for name, term in terms.items()}


def _luts(count: float, memory: int = 0) -> Resources:
    return replace(NONE, lut=round(count), lutram=memory)


def _sequencer(technology: Technology) -> Resources:
    if technology.shallow_blocks:
        return replace(_luts(_CONTROL), bram36=_QUEUE_BLOCKS)
    queues = _QUEUES * lutram(_DESCRIPTOR_BITS, _DESCRIPTORS, 1, technology)
    return _luts(_CONTROL + queues, queues)


def _tree(terms: int) -> int:
    """An adder of a level takes a LUT for each bit of its terms."""
    luts, bits = 0, _ENTRY_BITS
    while terms > 1:
        luts += terms // 2 * bits
        terms, bits = terms - terms // 2, bits + 1
    return luts


def _gearbox(build: BuildParameters) -> float:
    """Every bit of a step, and of what is held for the next one, is chosen among a few bits by the phase."""
    units = GearboxUnits.of(build)
    luts = sum(_choice(len(set(sources.values()))) for sources in (*units.taken(), *units.kept()))
    return luts * units.trits * 2 + _INDEX * build.tables * build.outputs_per_step


def _choice(sources: int) -> int:
    """LUTs of one bit of several, each with a select line of its own: three to the first LUT, two to a further one."""
    return 0 if sources <= 1 else 1 if sources <= 3 else 1 + -(-(sources - 3) // 2)


def _accumulators(build: BuildParameters, technology: Technology) -> Resources:
    """Two banks of words with a port a reader; the sum of each; for each reader the row of each bank, then the bank."""
    row = build.outputs_per_step * _SUM_BITS
    depth = build.accumulator_words // _BANKS
    bank = block_memory(build.rows * row, depth, ultra=in_ultra_ram(depth, technology), reads=_READERS)
    add = build.rows * row * (1 + 1)
    choose = _READERS * (_BANKS * row * _multiplexer(build.rows) + row)
    return bank + bank + _luts(add + choose)


def _multiplexer(inputs: int) -> float:
    """LUTs of one bit of several, by a binary address: four to a LUT, eight to two and a MUXF7."""
    return 0 if inputs == 1 else 1 if inputs <= 4 else inputs / 4


def _issue(build: BuildParameters, technology: Technology) -> Resources:
    fifo = lutram(build.outputs_per_step * _SUM_BITS, _READER_WORDS, 1, technology)
    choose = build.lanes * _SUM_BITS * _multiplexer(CHANNEL_UNIT // build.lanes)  # of a word, further parts
    return _luts(_READERS * (_READER + choose + fifo) + _ISSUE, _READERS * fifo)


def _activations(build: BuildParameters, technology: Technology) -> Resources:
    """All rows of a batch side by side, and an enable for each value."""
    words = -(-build.inputs_max // build.tile_inputs) * build.tile_inputs // CHANNEL_UNIT
    depth = build.row_batches << (words - 1).bit_length()
    values = CHANNEL_UNIT * build.rows
    return block_memory(8 * values, depth, ultra=in_ultra_ram(depth, technology)) + _luts(values)


def _weight_buffer(build: BuildParameters, technology: Technology) -> Resources:
    """Words of a step's indices."""
    depth, width = build.weight_buffer_steps, build.tables * build.outputs_per_step * _INDEX_BITS
    return block_memory(width, depth, ultra=in_ultra_ram(depth, technology, ULTRA_BUFFER_STEPS))


def _clients(build: BuildParameters, technology: Technology) -> Resources:
    """Who gathers out of the streams, reads and writes beside them; the cache through a reader and a FIFO a port."""
    blocks = _CLIENT_BLOCKS if technology.shallow_blocks else 0
    others = replace(_luts(_CLIENTS + _GATHER), dsp=_GATHER_DSP, bram36=blocks)
    return sum([_CACHE_FIFO + _luts(_CACHE_READER)] * build.ports, others)


def _ports(build: BuildParameters) -> Resources:
    """A FIFO each, and a port's counters and state."""
    fifo = block_memory(PORT_BYTES * 8, PORT_FIFO_BEATS, ultra=False)
    return sum([fifo + _luts(_PORT)] * build.ports, NONE)
