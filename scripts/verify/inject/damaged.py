"""Programs damaged behind the host's check: what became of each, what it wrote, and the good one after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from host.compiler.program_check import check_program
from models.errors import DeviceError
from models.machine.descriptor import DESCRIPTOR_BYTES
from scripts.verify.inject.bench import Bench
from scripts.verify.inject.beside import TokenError
from scripts.verify.inject.descriptors import DecodeList
from scripts.verify.inject.form import PLAIN

__all__ = ["Damaged", "run_damaged"]

RIGHT, OTHER = "done, the same token", "done, another token"
ENDINGS = {"a bad descriptor": "a bad descriptor: ", "outside the buffer": " outside the buffer at ",
           "watchdog": "the watchdog expired", "AXI response": "a memory access was refused"}


@dataclass(frozen=True)
class Damaged:
    """What came of a damaged program. ending: how it ended; checked: what the host's check says of it, None where it
    lets it run; finding: what must not be."""

    number: int
    what: str
    ending: str
    said: str | None
    checked: str | None
    finding: str | None = None


def run_damaged(bench: Bench, seed: int, numbers: range) -> Iterator[Damaged]:
    """Case n is drawn from the seed and n: it can be run alone."""
    for number in numbers:
        yield _run(bench, number, np.random.default_rng([seed, number]))


def _run(bench: Bench, number: int, rng: np.random.Generator) -> Damaged:
    vocab = bench.model.config.vocab_size
    bench.device.configure(stall_probability=float(rng.choice((0.0, 0.3))), seed=number)
    what, said, finding = "", None, None
    try:
        _begin(bench, [int(token) for token in rng.integers(vocab, size=int(rng.integers(1, 4)))])
        what, checked = _damage(bench, rng)
        before = bench.outside
        ending, said = _decode(bench, int(rng.integers(vocab)))
        if not np.array_equal(before, bench.outside):
            finding = f"{np.count_nonzero(before != bench.outside)} bytes outside the buffer were written"
        elif ending not in (RIGHT, OTHER, *ENDINGS):
            finding = f"it ended otherwise: {said}"
        _begin(bench, [int(token) for token in rng.integers(vocab, size=2)])
    except (TokenError, DeviceError) as error:
        finding = f"{finding or 'the good program'}: {error}"
        bench.reset()
    return Damaged(number, what, ending, said, checked, finding)


def _begin(bench: Bench, tokens: list[int]) -> None:
    """A text on a program that is laid out anew."""
    bench.form = PLAIN
    bench.session.recover(rewrite=True)
    bench.begin(tokens)


def _damage(bench: Bench, rng: np.random.Generator) -> tuple[str, str | None]:
    """One to four fields or bits of the next token's descriptors; what they are, and what the host's check says."""
    listed, program, done = DecodeList(bench.session), bench.session.program, []
    fields = {index: (listed.opcode(index), listed.fields(index)) for index in range(listed.count)}
    for _ in range(int(rng.integers(1, 5))):
        index = int(rng.integers(listed.count))
        opcode, known = fields[index]
        if rng.integers(2):
            bit = int(rng.integers(8 * DESCRIPTOR_BYTES))
            listed.flip(index, bit)
            done.append(f"{opcode.name} {index} bit {bit}")
        else:
            field = known[int(rng.integers(len(known)))]
            value = int(rng.integers(1 << min(field.width, 62))) >> int(rng.integers(field.width))
            listed.put_field(index, field, value)
            done.append(f"{opcode.name} {index} {field.name}={value:#x}")
    try:
        check_program(listed.raw, program.build, base=bench.session.buffer.address, size=program.size,
                      context=program.model.config.context, sequences=program.sequences)
    except DeviceError as error:
        return ", ".join(done), str(error)
    return ", ".join(done), None


def _decode(bench: Bench, token: int) -> tuple[str, str | None]:
    try:
        said = bench.fails_with([token])
    except TokenError as error:
        return OTHER, str(error)
    if said is None:
        return RIGHT, None
    return next((name for name, part in ENDINGS.items() if re.search(part, said)), "otherwise"), said
