"""How many cycles an ATTEND may take: its jobs through reads, softmax, reciprocals and normaliser in turn."""

from __future__ import annotations

from dataclasses import dataclass

from hw.attention.slices import slicing
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, chunk_bytes, padded_row
from tests.hw.attention.cases import AttentionCase, expected_jobs

__all__ = ["Job", "command_cycles", "jobs_of"]

_COMMAND, _BETWEEN = 40, 3  # before the first data; beats not taken between keys, values and jobs
_SCORES, _SOFTMAX, _RECIPROCAL, _SUMS, _END = 58, 22, 46, 8, 16  # latencies


@dataclass(frozen=True)
class Job:
    """What shares a pass: beats of its keys, of each chunk of its values with the channels of each."""

    pairs: int
    tokens: int  # of its last row
    slices: int  # of a beat, a cycle each
    sums: int  # that the normaliser takes a cycle
    key_beats: int
    chunk_beats: int
    channels: tuple[int, ...]

    @property
    def beats(self) -> int:
        """All that it reads."""
        return self.key_beats + self.chunk_beats * len(self.channels)


def jobs_of(build: BuildParameters, case: AttentionCase) -> list[Job]:
    """The jobs of a command in their order."""
    rows, heads, dim = case.q.shape
    kv_heads, beat, chunk = case.keys.shape[0], build.beat_bytes, chunk_bytes(build.ports)
    row_bytes, lanes = padded_row(dim * case.kv_bits // 8, build), chunk * 8 // case.kv_bits
    channels = tuple(min(lanes, dim - first) for first in range(0, dim, lanes))
    found = []
    for job in expected_jobs(build.attention_pairs, heads, kv_heads, rows, 0, case.position):
        tokens = job["tokens"] + job["rows_last"]
        blocks, some = divmod(tokens, BLOCK_TOKENS)
        keys = blocks * (HEADER_BYTES + BLOCK_TOKENS * row_bytes) // beat
        keys += -(-(HEADER_BYTES + some * row_bytes) // beat) if some else 0
        pairs = (job["rows_last"] + 1) * (job["heads_last"] + 1)
        cut = slicing(build)
        found.append(Job(pairs, tokens, cut.count, 2 if cut.count == 1 else 1, keys, -(-tokens * chunk // beat),
                         channels))
    return found


def command_cycles(jobs: list[Job]) -> int:
    """Cycles that a command of these jobs takes at most, beats being there when they are wanted.

    Each job goes through the stages in turn; a stage takes it when it is through with the job before, the softmax
    when the reciprocals took the job before. Beats come as keys of a job, then values of the one before.
    """
    data = _COMMAND  # the last beat was taken
    begun = read = softmax_free = divided = place = normalised = 0
    weights: list[int] = []
    given: list[int] = []
    for number in range(len(jobs) + 1):
        if number < len(jobs):
            job = jobs[number]
            pass_cycles = job.tokens * (2 if job.pairs > 2 else 1)
            # behind the softmax, which reads the scores of the job before from the same places
            data = max(max(data, begun) + job.key_beats * job.slices, read) + _BETWEEN
            begun = max(data + _SCORES, softmax_free)
            read = begun + pass_cycles
            weights.append(read + _SOFTMAX)
            softmax_free = max(weights[-1], divided)  # the reciprocals' last job must be on its way
            given.append(softmax_free + job.pairs * _RECIPROCAL)
            divided = max(given[-1], normalised)
        if number:
            job = jobs[number - 1]
            data = max(data, weights[number - 1])
            begin = max(given[number - 1], normalised)
            for channels in job.channels:
                data = max(data + job.chunk_beats * job.slices, place)
                begin = max(begin, data + _SUMS) + job.pairs * -(-channels // job.sums) + _BETWEEN
                place = begin
            data += _BETWEEN
            normalised = begin
    return normalised + _END
