"""--head: what auto stands for, and the commands that take it."""

import argparse
import json

import pytest

from host import batch, bench, chat, generate
from host.command_line import add_head_option, add_model_options, chosen_head
from host.sampler import add_sampling_options
from models.command import run_command


def options(*arguments, sampling=True):
    parser = argparse.ArgumentParser()
    add_model_options(parser)
    add_head_option(parser)
    if sampling:
        add_sampling_options(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(("arguments", "vocab", "head"), [
    (["--device", "rtl", "--temperature", "0"], 16384, "shortlist"),
    (["--device", "pynq", "--temperature", "0"], 128256, "shortlist"),
    (["--device", "rtl", "--temperature", "0"], 16383, "exact"),
    (["--device", "rtl", "--temperature", "0.7"], 128256, "exact"),
    (["--device", "rtl"], 128256, "exact"),
    (["--device", "rtl", "--temperature", "0", "--repeat-penalty", "1.1"], 128256, "exact"),
    (["--temperature", "0"], 128256, "exact"),
    (["--temperature", "0", "--head", "shortlist"], 10, "shortlist"),
    (["--temperature", "0.5", "--head", "exact"], 10, "exact"),
    (["--device", "rtl", "--temperature", "0", "--head", "exact"], 128256, "exact")])
def test_auto_is_a_shortlist_where_a_fabric_decodes_greedily(arguments, vocab, head, capsys):
    assert chosen_head(options(*arguments), vocab) == head
    assert not capsys.readouterr().err


def test_what_only_measures_or_has_no_such_option_is_exact():
    assert chosen_head(options("--device", "rtl", sampling=False), 128256) == "exact"
    assert chosen_head(argparse.Namespace(device="rtl"), 128256) == "exact"


@pytest.mark.parametrize(("vocab", "count"), [(2048, 64), (50, 50)])
def test_samples_from_a_shortlist_are_told(vocab, count, capsys):
    assert chosen_head(options("--head", "shortlist", "--temperature", "0.5"), vocab) == "shortlist"
    assert capsys.readouterr().err == f"note: samples are drawn from {count} exactly scored candidates\n"


def output(command, *arguments, capsys):
    run_command(command.main, [str(a) for a in arguments])
    return json.loads(capsys.readouterr().out)


def test_the_shipped_model_says_the_same_by_a_shortlist(capsys):
    arguments = ["--temperature", 0, "-n", 24, "--json", "--head"]
    exact, listed, drafted = (output(generate, *arguments, *last, capsys=capsys)
                              for last in (["exact"], ["shortlist"], ["shortlist", "--speculate"]))
    assert exact["ids"] == listed["ids"] == drafted["ids"]
    assert set(exact) == set(listed)
    prompts = ["--prompt", "It was a truth", "--prompt", "And the LORD"]
    exact, listed = (output(batch, *prompts, *arguments, head, capsys=capsys) for head in ("exact", "shortlist"))
    assert exact["results"] == listed["results"]


def test_the_speed_command_says_which_head_it_timed(capsys):
    timed = ["--prompt-tokens", 3, "-n", 2, "--repeats", 1, "--json"]
    assert output(bench, *timed, capsys=capsys)["head"] == "exact"
    assert output(bench, *timed, "--head", "shortlist", capsys=capsys)["head"] == "shortlist"


@pytest.mark.parametrize("command", [generate, chat, batch, bench])
def test_an_unknown_head_is_refused(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(command.main, ["--head", "best", *(["--prompt", "a"] if command == batch else [])])
    assert exit_.value.code == 2 and "--head" in capsys.readouterr().err
