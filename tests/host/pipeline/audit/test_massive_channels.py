"""The audit of massive channels, as its command gives it."""

import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.massive_channels import MassiveChannels
from models.command import run_command
from tests.host.test_commands import refused, run


def test_the_command_says_both(texts, capsys):
    arguments = ["audit", "massive", "--text", texts / "austen.txt", "--tokens", 48]
    found = run(pipeline, *arguments, "--factor", 4, "--json", capsys=capsys)
    assert found["tokens"] == 48 and len(found["layers"]) == 6 and found["channels"]
    assert {layer["channel"] for layer in found["layers"] if layer["ratio"] >= 4} <= set(found["channels"])
    assert found["growth"]["explained"] <= 1
    run_command(pipeline.main, list(map(str, arguments)))
    printed = capsys.readouterr().out
    assert "Channels of at least 1000 times the median: none" in printed and "with five parameters for 6" in printed


@pytest.mark.parametrize("option", [("--tokens", 0), ("--factor", 1), ("--factor", "nan")])
def test_bad_options_are_one_line(texts, capsys, option):
    assert option[0] in refused(pipeline, "audit", "massive", "--text", texts / "austen.txt", *option, capsys=capsys)


def test_the_page_says_where_nothing_is_fitted():
    layer = {"value": 2.0, "median": 1.0, "token": 3, "channel": 4, "ratio": 2.0}
    page = MassiveChannels.page({"factor": 1.5, "channels": [4], "layers": [layer], "growth": None})
    assert "| 0 | 2 | 4 | 3 | 2.0 |" in page and "1.5 times the median: 4." in page and "no growth is fitted" in page
