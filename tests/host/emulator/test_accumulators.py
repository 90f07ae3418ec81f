"""Accumulators are one memory: sums that one product writes over another's are seen alike by NumPy and the kernels."""

from dataclasses import replace

import numpy as np
import pytest

from host.emulator.accumulators import Accumulators
from host.emulator.image import ProgramError
from host.emulator.library import NUMPY
from host.emulator.machine import Machine
from host.emulator.native_machine import NativeMachine
from hw.boards.registry import BUILDS
from models.machine.build import CPU
from models.machine.descriptor import DESCRIPTOR_BYTES, OPCODES, LoadTarget, Opcode, StoreSource, pack
from models.machine.layout import tile_count, weight_stream
from models.ternary import pack_trits
from tests.host.emulator.native_units import ONE, PATHS

TEST_BUILDS = {"rows": replace(CPU, rows=2, accumulator_words=64),
               "tiles": replace(BUILDS["sim-tiny"], ports=1, rows=2, accumulator_words=16)}
BASE, INPUTS = 0x1000, 30


class Programs:
    """Descriptors of a build and what they name, in one memory."""

    def __init__(self, build):
        self.build, self.memory, self.program = build, np.zeros(1 << 16, np.uint8), []
        self.used = 256

    def place(self, array):
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        start, self.used = self.used, -(-(self.used + data.size) // 256) * 256
        self.memory[start:start + data.size] = data
        return BASE + start

    def add(self, opcode, **fields):
        self.program.append(pack(opcode, **{field.name: 0 for field in OPCODES[opcode].fields} | fields))

    def matmul(self, trits, word):
        outputs, rows = len(trits), self.build.packing == "rows"
        self.add(Opcode.STREAM, address=self.place(pack_trits(trits) if rows else weight_stream(trits, self.build)))
        self.add(Opcode.MATMUL, rows=2, tiles=tile_count(INPUTS, self.build), accumulator=word, batches=1,
                 outputs=self.build.padded_outputs(outputs), padding=self.build.padded_outputs(outputs) - outputs)

    def run(self, kernels):
        """The memory after a run, uint8."""
        memory, program = self.memory.copy(), b"".join(self.program)
        start = self.used
        memory[start:start + len(program)] = np.frombuffer(program, np.uint8)
        machine = (Machine(self.build, memory, BASE) if kernels == NUMPY else
                   NativeMachine(self.build, memory, BASE, kernels=kernels, threads=1))
        machine.run(BASE + start, len(program) // DESCRIPTOR_BYTES, 0)
        return memory


@pytest.mark.parametrize("kernels", [NUMPY, *PATHS[:1]])
@pytest.mark.parametrize("name", TEST_BUILDS)
def test_a_product_over_the_sums_of_another_is_seen(name, kernels):
    build, rng = TEST_BUILDS[name], np.random.default_rng(3)
    q = rng.integers(-127, 128, (2, INPUTS))
    below, above = (rng.integers(-1, 2, (outputs, INPUTS)).astype(np.int8) for outputs in (40, 14))
    programs = Programs(build)
    for row in range(2):
        programs.add(Opcode.LOAD, target=LoadTarget.INPUT, row=row, bytes=2 * INPUTS,
                     address=programs.place(q[row].astype("<i2")))
        programs.add(Opcode.LOAD, target=LoadTarget.STEP, row=row, bytes=16,
                     address=programs.place(np.array([ONE, 0, 0, 0], "<u4")))
    first, second = 2, 2 + 12 // build.outputs_per_step
    programs.matmul(below, first)
    programs.matmul(above, second)
    found, steps = programs.place(np.zeros((2, 40), "<i4")), programs.place(np.zeros((2, 16), np.uint8))
    programs.add(Opcode.STORE, rows=2, count=40, source=StoreSource.SUMS, accumulator=first, address=found, steps=steps)

    memory = programs.run(kernels)
    expected = q @ below.T
    # of padding the rest of the last word is written, further words are not
    written = -(-14 // build.outputs_per_step) * build.outputs_per_step
    expected[:, 12:12 + written] = 0
    expected[:, 12:12 + 14] = q @ above.T
    start = found - BASE
    assert (memory[start:start + 2 * 40 * 4].view("<i4").reshape(2, 40) == expected).all()


def test_the_memory_has_an_end():
    build = TEST_BUILDS["tiles"]
    memory, sums = Accumulators(build), np.ones((2, 4), np.int64)
    memory.write(slice(0, 2), 15, sums, 0)
    assert memory.read(slice(1, 2), 14, 8).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    with pytest.raises(ProgramError, match="^5 sums of rows 0 to 0 from word 15 on exceed the accumulators' 64 of 2 "):
        memory.read(slice(0, 1), 15, 5)
    with pytest.raises(ProgramError, match="exceed the accumulators' 64 of 2 rows$"):
        memory.write(slice(1, 3), 0, sums, 0)
