"""What is said of a router's rounds, and when it is given up."""

import pytest

from hw.place.router_rounds import PATIENCE, RouterRounds
from models.errors import BuildError


def write(log, counts):
    """A log as nextpnr's, with so many wires taken twice in each round."""
    log.write_text("Info: Running main router loop...\n" + "".join(
        f"Info:     iter={n} wires=9000 overused={count} overuse={count + 1} archfail=NA\n"
        for n, count in enumerate(counts, start=1)))


def test_each_new_round_is_said_once(tmp_path):
    log, said = tmp_path / "log", []
    rounds = RouterRounds(log, "seed 1", said.append)
    for counts in ([], [4000], [4000], [4000, 300, 20], [4000, 300, 20, 0]):
        write(log, counts)
        rounds()
    assert said == [f"seed 1: round {n} of the router, {count} wires taken twice"
                    for n, count in ((1, "4,000"), (3, "20"), (4, "0"))]


def test_a_router_that_turned_is_given_up(tmp_path):
    log = tmp_path / "log"
    falling = [1000, 800, 90]
    rounds = RouterRounds(log, "seed 2", lambda line: None)
    write(log, falling + [91] * (PATIENCE - 1))
    rounds()
    write(log, falling + [91] * PATIENCE)
    with pytest.raises(BuildError, match=f"seed 2 cannot be routed: .* round 3 of {PATIENCE + 3}, 90 wires"):
        rounds()


def test_one_that_still_gets_better_is_not(tmp_path):
    log = tmp_path / "log"
    write(log, [*range(3 * PATIENCE, 0, -1), 0])
    RouterRounds(log, "seed 3", lambda line: None)()
