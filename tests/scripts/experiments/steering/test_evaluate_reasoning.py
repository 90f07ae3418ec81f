"""Chaining wins where there are hops, controls do not, and costs stand beside each other."""

import numpy as np

from host.pipeline.steering_bench.comparison import Compared, Row
from host.pipeline.steering_bench.outcome import Cost, Outcome
from models.checkpoint import load_model
from scripts.experiments.steering.evaluate_reasoning import cost_table, planted_row
from scripts.experiments.steering.planted_ontology import HOPS


def test_planted_chains_are_followed_and_neither_one_hop_nor_random_directions_do_as_well():
    chained, one_hop, drawn = planted_row(load_model("demo"), 1.0, 0)
    assert len(chained) == len(HOPS) + 1 and (chained[:-1] > 0.9).all()
    assert one_hop[0] > 0.9 and (np.abs(one_hop[1:-1] - 0.5) < 0.05).all()
    assert (drawn[:-1] < 0.7).all()


def test_costs_are_sorted_by_target_and_cost_and_name_the_random_control():
    def row(what, budget, success, target):
        return Row("m", what, 0, target, budget, 0.3, Outcome(Cost(1.01, 1.2), 0.5, 0.1, success, 0.06, 0.0, 0.0, []))

    found = [Compared("m", target, [row("fitted", 0.1, 0.75, target), row("fitted", 0.02, 0.25, target),
                                    row("random", 0.1, 0.125, target), row("fitted", None, 0.0, target)])
             for target in ("austen", "scripture")]
    lines = cost_table(found).splitlines()[2:]
    assert [line.split(" | ")[:2] for line in lines] == [["| scripture", "+2 %"], ["| scripture", "+10 %"],
                                                         ["| austen", "+2 %"], ["| austen", "+10 %"]]
    assert lines[1] == "| scripture | +10 % | m | 0.3 | × 1.010 | × 1.200 | 75 ± 6 % | 12 % |"
    assert lines[0].endswith("| 25 ± 6 % | – |")
