"""The table of speeds by rate, from what sim.bench prints."""

import json

import pytest

from models.errors import OptionError
from scripts.experiments.record_rates import main, table

FAST = {"cycles": 3_200_000, "outstanding": 8, "ddr_gb_s": 14.8, "tokens_per_s": 78.125,
        "at_gb_s": {"15.2": {"cycles": 3_250_000, "tokens_per_s": 76.9}, "12.0": {"tokens_per_s": 61.25}}}
PROMPT = {"cycles": 9, "outstanding": 16, "ddr_gb_s": 9.0, "ttft_s": 0.15796,
          "at_gb_s": {"15.2": {"ttft_s": 0.158}, "12.0": {"ttft_s": 0.1587}}}


def test_a_row_a_result():
    lines = table({"0.73B": FAST, "a prompt": PROMPT}).splitlines()
    assert "held to 15.2 GB/s" in lines[0] and "held to 12.0 GB/s" in lines[0]
    assert lines[2] == "| 0.73B | 8 | 3,200,000 | 14.80 | 78.1 tok/s | 76.9 tok/s | 61.2 tok/s |"
    assert lines[3] == "| a prompt | 16 | 9 | 9.00 | 0.1580 s | 0.1580 s | 0.1587 s |"


def test_a_rate_that_was_not_simulated():
    lines = table({"0.73B": FAST, "alone": {key: FAST[key] for key in FAST if key != "at_gb_s"}}).splitlines()
    assert lines[3] == "| alone | 8 | 3,200,000 | 14.80 | 78.1 tok/s | – | – |"


def test_what_is_no_result_is_refused():
    with pytest.raises(OptionError, match="other: this is not what sim.bench --json prints"):
        table({"0.73B": FAST, "other": {"cycles": 1}})


def test_the_document_is_written(tmp_path):
    page, result = tmp_path / "page.md", tmp_path / "fast.json"
    page.write_text("above\n<!-- rates: written by scripts.experiments.record_rates -->\nold\n<!-- rates: end -->\n")
    result.write_text(json.dumps(FAST))
    main([f"0.73B, packed={result}", "--document", str(page)])
    text = page.read_text()
    assert "| 0.73B, packed | 8 | 3,200,000 |" in text and "old" not in text and text.startswith("above\n")
    with pytest.raises(OptionError, match="expected NAME=FILE"):
        main([str(result), "--document", str(page)])
