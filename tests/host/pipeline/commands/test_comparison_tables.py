"""The page of a comparison: every table's lines, ties and what is worse than random said as they are."""

from host.pipeline.commands.comparison_tables import comparison_page, worse_than_random
from host.pipeline.sparsity.at_percent import AtPercent
from host.pipeline.sparsity.comparison import Comparison, Missing, Pair, Row
from host.pipeline.sparsity.continuations import At
from host.pipeline.sparsity.kept_gates import KeptGates

PLAIN = Row("qkv,o", "plain", None, None, 0.4183, 0.0, 30.748, 1.0, "nowhere", 0, 123456.0, 1.5e6, None, None)
WINA = Row("qkv,o", "wina", 0.7, 0.5, 0.6999, 0.0123, None, 1.0077, "cpu", 6, 130000.0, 1.5e6, 99.4, 0.456, 4321.0)
RANDOM = WINA._replace(method="random-per-token", over_plain=1.5, layer_error=0.5)
FOUND = Comparison(
    [PLAIN, WINA, RANDOM], [Missing("down", 0.25, 0.8199), Missing("down", 0.5, 0.8199)],
    [Pair("qkv,o", 0.7, 0.6999, 0.7, -0.0031, 0.001), Pair("qkv,o", 0.9, 0.9, 0.9, -0.002, 0.001),
     Pair("down", 0.9, 0.9, 0.9, 0.0021, 0.001)],
    [KeptGates("text", 0.5, 0.4951, 0.51), KeptGates("normal", 0.1, 0.098, 0.11, 0.0004)],
    [AtPercent("qkv,o", "wina", 0.5, 0.951, 0.3, 1.0123)])
FOLLOWED = [At("the same text", "core-infer", *at, 0.05, 8) for at in ((0, 16, 0.1), (16, 64, -0.2))]


def test_every_table_has_its_lines():
    lines = comparison_page(FOUND, FOLLOWED, 1.0).splitlines()
    assert " | kB unread of 1500, modelled (measured) | " in lines[0]
    assert lines[2:4] == [
        "| qkv, o | – | plain | 0.418 | 0.000 | 30.75 | × 1.000 | nowhere | 123 | – |",
        "| qkv, o | 0.7 | wina | 0.700 | 0.012 | none | × 1.008 | cpu, 6 | 130 (4) | 99 (× 0.46) |"]
    for line in ("No rows for 0.25, 0.5 at down: without a mask 0.820 of the inputs are zero on the fitted text.",
                 "No method is worse than random-per-token at the same inputs and target.",
                 "Sparsity at 1 % more perplexity on the fitted text, bisected:",
                 "| qkv, o | wina | 0.95 % | 0.300 | × 1.012 |",
                 "| qkv, o | 0.7 | 0.700 | 0.700 | -0.0031 ± 0.0010 | WINA better |",
                 "| qkv, o | 0.9 | 0.900 | 0.900 | -0.0020 ± 0.0010 | a tie |",
                 "| down | 0.9 | 0.900 | 0.900 | +0.0021 ± 0.0010 | TEAL better |",
                 "| text | 0.5 | 0.4951 (-1.0 %) | 0.5100 (+2.0 %) |",
                 "| normal | 0.1 | 0.0980 (-2.0 ± 0.4 %) | 0.1100 (+10.0 %) |",
                 "| what follows | method | 0 – 15 | 16 – 63 |",
                 "| the same text | core-infer | +0.100 ± 0.050 | -0.200 ± 0.050 |"):
        assert line in lines


def test_what_is_worse_than_random_is_said():
    worse, elsewhere = WINA._replace(over_plain=1.6), WINA._replace(group="down", over_plain=9.0)
    control = RANDOM._replace(method="fixed-random", over_plain=2.0)
    rows = [PLAIN, worse, control, RANDOM, elsewhere]
    assert worse_than_random(rows) == [(worse, RANDOM)]
    page = comparison_page(FOUND._replace(rows=rows), [], 1.0)
    assert ("Worse than random-per-token: wina at qkv, o, 0.7 (× 1.600 against × 1.500; "
            "layer error 0.012 against 0.500).") in page.splitlines()


def test_what_was_not_measured_has_no_table():
    assert comparison_page(Comparison([], [], [], [], []), [], None) == ""
    assert comparison_page(Comparison([PLAIN], [], [], [], []), [], None).count("\n") == 2
