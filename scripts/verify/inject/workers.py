"""Cases side by side, each process with a core of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence

from hw.boards.registry import board_build
from scripts.verify.inject.bench import Bench
from scripts.verify.inject.campaign import Case, run_cases
from scripts.verify.inject.damaged import Damaged, run_damaged
from scripts.verify.inject.kinds import kinds_of
from scripts.verify.inject.link import LinkBench, link_kind_names, run_link_cases
from scripts.verify.inject.soc import SocBench, run_soc_cases, soc_kind_names

__all__ = ["FAULTS", "LINK", "SOC", "kind_names", "side_by_side"]

FAULTS, LINK, SOC = "faults", "link", "soc"
_BENCHES = {LINK: LinkBench, SOC: SocBench}
_AT_ONCE = 8  # cases that a process takes at a time
_bench: Bench | LinkBench | SocBench  # of a process
_seed: int


def _start(campaign: str, board: str, seed: int) -> None:
    global _bench, _seed
    _bench, _seed = _BENCHES.get(campaign, Bench)(board_build(board), seed), seed


def kind_names(campaign: str, board: str, seed: int) -> list[str]:
    """The kinds of fault of a board's build, or of a link; case n is of kind n modulo their number."""
    if campaign == LINK:
        return link_kind_names()
    if campaign == SOC:
        return soc_kind_names()
    _start(campaign, board, seed)
    return [kind.name for kind in kinds_of(_bench)]


def _run(campaign: str, numbers: Sequence[int]) -> list[Case] | list[Damaged]:
    if campaign == LINK:
        return list(run_link_cases(_bench, _seed, numbers))
    if campaign == SOC:
        return list(run_soc_cases(_bench, _seed, numbers))
    if campaign == FAULTS:
        return list(run_cases(_bench, kinds_of(_bench), _seed, numbers))
    return list(run_damaged(_bench, _seed, numbers))


def _one(given: tuple[str, Sequence[int]]) -> list[Case] | list[Damaged]:
    return _run(*given)


def side_by_side(campaign: str, board: str, seed: int, numbers: Sequence[int], jobs: int) -> Iterator[Case | Damaged]:
    """The cases of a campaign, in their order."""
    parts = [(campaign, numbers[first:first + _AT_ONCE]) for first in range(0, len(numbers), _AT_ONCE)]
    if jobs == 1:
        _start(campaign, board, seed)
        for part in parts:
            yield from _one(part)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _start, (campaign, board, seed)) as pool:
        for cases in pool.imap(_one, parts):
            yield from cases
