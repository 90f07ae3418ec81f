"""What is refused of a program before it runs, by the number and the name of the descriptor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from host.compiler.program import Program
from host.compiler.program_check import check_program
from host.compiler.rows import Part
from host.emulator.machine import Machine, ProgramError
from hw.boards.registry import BUILDS
from models.errors import DeviceError
from models.machine.build import CPU
from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, LoadTarget, Opcode
from models.synth import synthetic_model
from tests.families import FAMILIES, GROUPED

BASE = 0x4_0000_0000
CONFIG = FAMILIES["relu2 grouped heads"]


@dataclass
class Listed:
    """A program's buffer, and the list of a pass in it."""

    program: Program
    memory: np.ndarray
    raw: np.ndarray

    @classmethod
    def of(cls, build=BUILDS["sim-tiny"], kind="decode", config=CONFIG, parts=(), **options):
        program = Program(synthetic_model(config, seed=1), build, rows=build.slots, **options)
        memory = np.zeros(program.size, np.uint8)
        program.write(memory, BASE)
        item = program.get_passes(kind, sum(part.rows for part in parts) or 1, parts)[0]
        return cls(program, memory, memory[item.offset:item.offset + item.count * DESCRIPTOR_BYTES].copy())

    def check(self, raw=None):
        program = self.program
        check_program(self.raw if raw is None else raw, program.build, base=BASE, size=program.size,
                      context=program.model.config.context, sequences=program.sequences)

    def find(self, opcode, number=0, **values):
        """The index of the number-th descriptor of an operation with these values."""
        found = [index for index in range(self.raw.size // DESCRIPTOR_BYTES)
                 if self.raw[index * DESCRIPTOR_BYTES] >> 4 == opcode
                 and all(self.get(index, name) == value for name, value in values.items())]
        return found[number]

    def _field(self, index, name):
        operation = OPCODES[Opcode(self.raw[index * DESCRIPTOR_BYTES] >> 4)]
        return next(field for field in HEADER + operation.fields if field.name == name)

    def _word(self, index, raw=None):
        raw = self.raw if raw is None else raw
        return int.from_bytes(raw[index * DESCRIPTOR_BYTES:][:DESCRIPTOR_BYTES].tobytes(), "little")

    def get(self, index, name):
        field = self._field(index, name)
        return self._word(index) >> field.offset & (1 << field.width) - 1

    def with_field(self, index, name, value, raw=None):
        """The list with another value of a field."""
        raw, field = (self.raw if raw is None else raw).copy(), self._field(index, name)
        word = self._word(index, raw) & ~((1 << field.width) - 1 << field.offset) | value << field.offset
        raw[index * DESCRIPTOR_BYTES:][:DESCRIPTOR_BYTES] = np.frombuffer(word.to_bytes(DESCRIPTOR_BYTES, "little"),
                                                                          np.uint8)
        return raw


@pytest.fixture(scope="module")
def listed():
    return Listed.of()


@pytest.mark.parametrize("kind", ["prefill", "next", "decode", "score"])
@pytest.mark.parametrize("build", [BUILDS["kv260"], CPU], ids=lambda build: build.name)
def test_what_the_compiler_lists_is_allowed(kind, build):
    """Many sequences, some with several rows, in several groups."""
    parts = tuple(Part(sequence, rows) for sequence, rows in enumerate((1, 5, 1, 3, 4)))
    Listed.of(build, kind, parts=parts, sequences=5).check()
    head = "exact" if kind == "score" else "shortlist"
    Listed.of(build, kind, parts=parts[:2], sequences=2, head=head).check()


@pytest.mark.parametrize("name", list(GROUPED))
def test_what_the_emulator_alone_runs_is_allowed(name):
    Listed.of(CPU, "score", GROUPED[name]).check()


END = 1 << 28
REFUSED = [
    # operation and which one of it, field, value (of what it was), message
    (Opcode.MATMUL, 0, "engine", lambda v: v + 1, "opcode 2 for engine 3 is unknown"),
    (Opcode.NORM, 0, "opcode", lambda v: 15, "opcode 15 for engine 3 is unknown"),
    (Opcode.NORM, 0, "wait", lambda v: 1 << 13, "waits for semaphore 13, given by no one"),
    (Opcode.MATMUL, 2, "rows", lambda v: 0, "0 rows from 0 on"),
    (Opcode.MATMUL, 2, "first_row", lambda v: 1, "1 rows from 1 on are not within the build's 1"),
    (Opcode.MATMUL, 0, "tiles", lambda v: v + 1, "beats, its stream has"),
    (Opcode.MATMUL, 0, "tiles", lambda v: 0, "0 tiles are not 1 to those of 1536 inputs"),
    (Opcode.MATMUL, 0, "outputs", lambda v: v + 1, "is no multiple of 20"),
    (Opcode.MATMUL, 0, "accumulator", lambda v: 1020, "accumulator word 1020 on exceed the 1024"),
    (Opcode.MATMUL, 0, "batches", lambda v: 2, "are not those of 2 batches"),
    (Opcode.STREAM, 1, "address", lambda v: v + 128, "no multiple of 256"),
    (Opcode.STREAM, 1, "address", lambda v: END, "it reads 0x10000000 to"),
    (Opcode.STREAM, 1, "beats", lambda v: 0, "0 beats are no whole bursts"),
    (Opcode.STREAM, 1, "beats", lambda v: v + 16, "its stream has"),
    (Opcode.STREAM, 1, "head", lambda v: 1, "its stream is of another kind"),
    (Opcode.STREAM, 1, "row", lambda v: 1, "there is no row 1"),
    (Opcode.STREAM, 1, "row_beats", lambda v: 17, "no row has 17 beats"),
    (Opcode.KEY, 0, "normed", lambda v: 1, "takes no norms of heads"),
    (Opcode.LOGITS, 0, "grouped", lambda v: 1, "takes no scales by group"),
    (Opcode.LOAD, 0, "target", lambda v: 9, "its target of 9 is not 0 to 7"),
    (Opcode.LOAD, 0, "bytes", lambda v: 0, "0 bytes from element 0"),
    (Opcode.LOAD, 0, "bytes", lambda v: 1 << 20, "do not fit its memory 0"),
    (Opcode.LOAD, 0, "address", lambda v: v + 4, "is no multiple of 16"),
    (Opcode.LOAD, 0, "sequence", lambda v: 3, "its sequence of 3 is not 0 to 0"),
    (Opcode.KEY, 0, "heads", lambda v: 0xED, "its heads of 237 is not 1 to 8"),
    (Opcode.VALUE, 0, "address_stride", lambda v: 0xFFFF, "is no multiple of 16"),
    (Opcode.VALUE, 0, "address", lambda v: v + END, "it writes"),
    (Opcode.KEY, 0, "head_bytes", lambda v: END, "it writes"),
    (Opcode.KEY, 0, "block_bytes", lambda v: 0xFFF0, "it writes"),
    (Opcode.KEY, 0, "scale_address", lambda v: v + (1 << 20), "it writes scales at"),
    (Opcode.KEY, 0, "token", lambda v: 64, "sequence 0 has more rows than the context's 64"),
    (Opcode.QUERY, 0, "dim", lambda v: 20, "its dim of 20 is no multiple of 8"),
    (Opcode.ATTEND, 0, "kv_heads", lambda v: 3, "4 heads on 3 are no groups of at most 8"),
    (Opcode.ATTEND, 0, "keys", lambda v: v + 256, "do not lie in one block"),
    (Opcode.ATTEND, 0, "values", lambda v: v + END, "it reads values at"),
    (Opcode.ATTEND, 0, "row_bytes", lambda v: 16, "16 bytes do not hold 24 channels"),
    (Opcode.NORM, 1, "group_channels", lambda v: 0, "are no groups of 0"),
    (Opcode.NORM, 0, "count", lambda v: 1000, "its count of 1000 is not from 1 to the build's limit"),
    (Opcode.RESIDUAL, 0, "count", lambda v: 98, "is no multiple of 4"),
    (Opcode.LOGITS, 0, "k", lambda v: 17, "its k of 17"),
    (Opcode.LOGITS, 0, "top", lambda v: v + END, "it writes its list at"),
    (Opcode.LOGITS, 0, "vocab", lambda v: v + 8, "beats, its stream has"),
]


@pytest.mark.parametrize("opcode, number, field, change, message", REFUSED)
def test_a_wrong_field_is_refused_by_name(opcode, number, field, change, message, listed):
    index = listed.find(opcode, number)
    raw = listed.with_field(index, field, change(listed.get(index, field)))
    with pytest.raises(DeviceError) as refused:
        listed.check(raw)
    said = str(refused.value)
    assert message in said and said.startswith("descriptor ")
    if "stream" not in message and field not in ("opcode", "engine", "token"):
        assert said.startswith(f"descriptor {index} of a program ({opcode.name}): ")


def test_streams_and_consumers_go_together(listed):
    stream, matmul = listed.find(Opcode.STREAM, -1), listed.find(Opcode.MATMUL)
    rows = listed.raw.reshape(-1, DESCRIPTOR_BYTES)
    with pytest.raises(DeviceError, match="no stream to consume"):
        listed.check(np.delete(rows, stream, axis=0).reshape(-1))
    with pytest.raises(DeviceError, match="nothing consumes it"):
        listed.check(np.concatenate([rows, rows[stream:stream + 1]]).reshape(-1))
    order = [*range(len(rows))]
    order.insert(0, order.pop(matmul))
    early = listed.with_field(matmul, "wait", 0).reshape(-1, DESCRIPTOR_BYTES)[order]
    with pytest.raises(DeviceError, match="descriptor 0 .*its stream is listed behind it"):
        listed.check(early.reshape(-1))
    streams = [index for index in order if rows[index][0] >> 4 == Opcode.STREAM]
    others = [index for index in range(len(rows)) if index not in streams]
    with pytest.raises(DeviceError, match="matrices before its consumer, at most 6"):
        listed.check(rows[streams + others].reshape(-1))


def test_positions_leave_the_last_token_inside(listed):
    """Of rotary vectors, which are read from the position on."""
    load = listed.find(Opcode.LOAD, target=LoadTarget.ROPE)
    start = listed.get(load, "address")
    with pytest.raises(DeviceError, match=f"descriptor {load} .*it reads"):
        listed.check(listed.with_field(load, "address_stride", 1 << 20))
    last = BASE + listed.program.size - CONFIG.context * CONFIG.head_dim * 2
    listed.check(listed.with_field(load, "address", last))
    with pytest.raises(DeviceError, match="it reads"):
        listed.check(listed.with_field(load, "address", last + 16))
    assert start < last


def test_what_is_allowed_stays_in_the_buffer(listed):
    """Random fields: whatever the check lets through touches no byte outside, at the context's last token."""
    rng, ran = np.random.default_rng(5), 0
    for _ in range(600):
        raw = listed.raw
        for _ in range(int(rng.integers(1, 3))):
            index = int(rng.integers(raw.size // DESCRIPTOR_BYTES))
            fields = OPCODES[Opcode(listed.raw[index * DESCRIPTOR_BYTES] >> 4)].fields
            field = fields[int(rng.integers(len(fields)))]
            value = int(rng.integers(1 << min(field.width, int(rng.integers(1, 41)))))
            raw = listed.with_field(index, field.name, value, raw)
        try:
            listed.check(raw)
        except DeviceError:
            continue
        memory = listed.memory.copy()
        memory[:raw.size] = raw
        ran += 1
        try:
            Machine(listed.program.build, memory, BASE).run(BASE, raw.size // DESCRIPTOR_BYTES, CONFIG.context - 1)
        except ProgramError as error:
            assert "outside" not in str(error)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError):
            pass  # values that only NumPy minds, such as a loop's setpoint
    assert ran > 50
