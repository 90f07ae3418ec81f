"""The page has a line a condition, what was not reached is a dash, and samples stand under their prompts."""

from types import SimpleNamespace

from host.pipeline.steering_bench.outcome import Cost, Outcome
from scripts.experiments.steering.evaluate_language import SHOWN, Found, page


def outcome(success, text):
    return Outcome(Cost(1.1, 1.3), 5.0, 0.2, success, 0.05, 0.0, 0.0, [text])


def test_the_page_shows_shares_costs_and_samples():
    bench = SimpleNamespace(plain_texts=["and the LORD"], plain_success=0.02, plain_perplexity=Cost(90.0, 80.0),
                            prompts=lambda: ["But now\nthe righteousness"])
    found = [Found("FOXP2", (0, 1), {SHOWN: (0.8, outcome(0.75, "y\nde | Dios")), 0.5: (1.2, outcome(1.0, "que"))}),
             Found("SNMF", (1,), {}, "no feature tells them apart")]
    written = page(bench, SimpleNamespace(accuracy=(1.0, 0.995)), found)
    assert "| FOXP2 | 0, 1 | – | 75 ± 5 % | 100 ± 5 % | 0.80 | × 1.10 / 1.30 |" in written
    assert "| SNMF | 1 | – | – | – | – | – |" in written and "SNMF: no feature tells them apart." in written
    assert "| **But now the righteousness …** | |" in written and "| +20 % | …y de \\| Dios |" in written
