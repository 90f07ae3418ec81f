"""The tables say what was found: the best control of each kind, winners with their ties, what is left out."""

import json
import pickle

from host.pipeline.commands.steering_tables import frontier_table, sample_tables, steering_page, sweep_table, winners
from host.pipeline.steering_bench.comparison import BUDGETS, Compared, Plain, Row
from host.pipeline.steering_bench.outcome import Cost, Outcome

PLAIN = [Plain(target, source, 0.1, (30.0, 31.0), (0.99, 0.98), (0.8, -0.9), ["one\ntwo", "a|b"],
               ["plain 0", "plain 1"])
         for target, source in (("kjv", "emma"), ("emma", "kjv"))]


def outcome(success, shift=1.0):
    return Outcome(Cost(1.02, 1.08), shift, 0.1, success, 0.05, 0.01, -0.02, [f"{success} a", f"{success} b"])


def compared(method, target, success):
    rows = [Row(method, "fitted", 0, target, budget, 3 * budget, outcome(success)) for budget in BUDGETS]
    for what, shares in (("random", (0.11, 0.13)), ("shuffled", (0.2, 0.17))):
        rows += [Row(method, what, draw, target, 0.05, 1.0, outcome(share)) for draw, share in enumerate(shares)]
    rows.append(Row(method, "fitted", 0, target, None, -0.15, outcome(0.0, -0.5)))
    return Compared(method, target, rows, "cpu", 6, 123.4, 0.25)


FOUND = [compared(method, side.target, success) for side in PLAIN
         for method, success in (("best", 0.9), ("near", 0.85), ("far", 0.3))]
FOUND.append(Compared("broken", "kjv", [], error="needs PyTorch"))


def test_a_line_of_the_frontier():
    lines = frontier_table(FOUND[:1]).splitlines()
    assert lines[2] == ("| best | cpu, 6 | 123 (× 0.25) | 90 ± 5 % (–, –) | 90 ± 5 % (13, 20) | 90 ± 5 % (–, –) "
                        "| +1.00 ± 0.10 | -0.50 ± 0.10 |")


def test_results_come_back_from_json():
    assert [Compared.from_json(json.loads(json.dumps(each.as_json()))) for each in FOUND] == FOUND


def test_results_pass_between_processes():
    assert [pickle.loads(pickle.dumps(each)) for each in FOUND] == FOUND


def test_winners_name_those_that_tie():
    lines = winners(FOUND)
    assert len(lines) == 3
    assert lines[1] == ("At 5 % more perplexity **best** moves most: 90 % ± 3.54 % of both directions' continuations; "
                        "within two standard errors: near (85 %).")
    assert "no method costs so much" in winners(FOUND[-1:])[0]


def test_a_method_that_goes_one_way_only_wins_nothing():
    assert "**near**" in winners([each for each in FOUND if (each.method, each.target) != ("best", "emma")])[0]


def test_the_sweep_has_all_strengths_and_the_reversed_one():
    lines = sweep_table(FOUND[:1]).splitlines()
    assert len(lines) == 2 + len(BUDGETS) + 1
    assert lines[2] == ("| best | kjv | 0.015 | × 1.020 | × 1.080 | +1.00 ± 0.10 | 90 ± 5 % | +1.0 % | -2.0 % |")


def test_samples_are_of_one_cost_and_stay_in_their_cells():
    text = sample_tables(PLAIN, FOUND)
    assert "### emma steered toward kjv" in text and "| **one two …** | |" in text and "| **a\\|b …** | |" in text
    assert "| plain | …plain 1 |" in text and text.count("| best | …0.9 ") == 4 and "broken" not in text


def test_the_page_says_what_is_left_out():
    page = steering_page(PLAIN, FOUND)
    assert "broken toward kjv is left out: needs PyTorch." in page
    assert "Toward kjv: the judge gives it 10 % of the plain model's continuations" in page
