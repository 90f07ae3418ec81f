"""The command that continues several prompts: what it reads, prints and refuses; each as `host.generate` alone."""

import io
import json
import sys
from functools import partial

import pytest

from host import batch as command
from host import generate as single
from models.checkpoint import load_model
from models.command import run_command
from tests.host.test_conversation import BASE, models  # noqa: F401  a fixture

PROMPTS = ["It was a truth", "And the LORD said unto", "She had", "Mr. Knightley", "In the beginning", "Blessed are",
           "My dear", "The house", "Thou shalt not", "Emma"]


def run(module, *arguments, capsys):
    run_command(module.main, [str(a) for a in arguments])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("sampling", [("--temperature", 0),
                                      ("--temperature", 0.9, "--seed", 5, "--repeat-penalty", 1.1)])
def test_the_command_gives_what_generate_gives(sampling, capsys, tmp_path):
    options = ("-n", 12, "--stop", "and", *sampling, "--json")
    file = tmp_path / "prompts.txt"
    file.write_text("\n\n".join(PROMPTS) + "\n")
    found = run(command, "--prompts", file, "--sequences", 4, *options, capsys=capsys)
    assert set(found) == {"model", "results", "passes", "prefill_s", "decode_s", "tokens_per_s", "device",
                          "saturations"}
    assert len(found["results"]) == len(PROMPTS)
    for prompt, result in zip(PROMPTS, found["results"], strict=True):
        expected = run(single, "--prompt", prompt, *options, capsys=capsys)
        assert result == {name: expected[name] for name in ("prompt_ids", "ids", "text", "finish")}
    assert run(command, *(part for prompt in PROMPTS for part in ("--prompt", prompt)), *options,
               capsys=capsys)["results"] == found["results"]
    run_command(command.main, [*map(str, options[:-1]), "--jsonl", "--prompts", str(file), "--sequences", "2"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line.pop("index") for line in lines) == list(range(len(PROMPTS)))
    assert sorted(lines, key=str) == sorted(found["results"], key=str)


def test_a_line_of_a_file_is_a_prompt_whatever_system_wrote_it(capsys, tmp_path, monkeypatch):
    prompts = ["It was", "She\u2028had", "My\x0cdear\x85", "a\rb"]
    options = ("-n", 2, "--temperature", 0, "--json")
    expected = run(command, *(part for prompt in prompts for part in ("--prompt", prompt)), *options, capsys=capsys)
    file = tmp_path / "prompts.txt"
    for data in ("\n".join(prompts), "\ufeff" + "\r\n\r\n".join(prompts) + "\r\n"):
        file.write_bytes(data.encode())
        assert run(command, "--prompts", file, *options, capsys=capsys)["results"] == expected["results"]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode()), encoding="ascii"))
        assert run(command, "--prompts", "-", *options, capsys=capsys)["results"] == expected["results"]


def test_a_stop_that_names_a_special_token(models, capsys, monkeypatch):  # noqa: F811
    for module in (command, single):
        monkeypatch.setattr(module, "sampler_from", lambda _: partial(next_of, iter([300, BASE + 4, 301])))
    options = ("--model", models["ChatML"], "--prompt", "It was", "-n", 3, "--json")
    stop = ("--stop", "never there", "--stop", "<|eot_id|>")
    assert run(single, *options, capsys=capsys)["ids"] == [300, BASE + 4, 301]
    assert run(single, *options, *stop, capsys=capsys)["ids"] == [300]
    found = run(command, *options, "--prompt", "well", *stop, capsys=capsys)["results"]
    assert [result["ids"] for result in found] == [[300], [300]]


def next_of(left, top, history):
    """A sampler that takes the ids that are left in turn."""
    return next(left)


def test_texts_come_in_the_order_of_the_prompts(capsys):
    run_command(command.main, ["--prompt", "It was", "--prompt", "She had", "-n", "8", "--temperature", "0"])
    out, err = capsys.readouterr()
    first, second = (run(single, "--prompt", prompt, "-n", 8, "--temperature", 0, "--json", capsys=capsys)["text"]
                     for prompt in ("It was", "She had"))
    assert out == f"It was{first}\n\nShe had{second}\n"
    assert err.startswith("[2 prompts, ") and " 16 new at " in err


def test_ids_need_no_tokenizer(capsys, tmp_path):
    for path in load_model("demo").folder.iterdir():
        if path.name != "tokenizer.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    options = ["--model", tmp_path, "-n", 5, "--temperature", 0]
    found = run(command, *options, "--ids", "0,5", "--ids", "0,9,700", "--json", capsys=capsys)["results"]
    assert [result["prompt_ids"] for result in found] == [[0, 5], [0, 9, 700]]
    assert all(result["text"] is None and len(result["ids"]) == 5 for result in found)
    run_command(command.main, [str(a) for a in (*options, "--ids", "0,5", "--ids", "0,9,700")])
    assert capsys.readouterr().out.split() == [str(token) for result in found for token in result["ids"]]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--prompt", "It was", "--prompt", ""], "prompt 2 is empty"),
    (["--prompts", "no/such/file"], "cannot read no/such/file: No such file or directory"),
    (["--prompts", "/dev/null"], "/dev/null has no prompt"),
    (["--prompts", "/bin/sh"], "cannot read /bin/sh: it is "),
    (["--prompt", "a", "--stop", "<|endoftext|>\n"], "the special token <|endoftext|> in it is no part of the text"),
    (["--prompt", "a", "--sequences", "17"], "--sequences must be 1 to 16, got 17"),
    (["--prompt", "a", "--sequences", "0"], "--sequences must be 1 to 16, got 0"),
    (["--prompt", "a", "--stop", ""], "a stop string must not be empty"),
    (["--prompt", "a", "--prompt", "word " * 3000], "prompt 2 of"),
    (["--ids", "1", "--ids", "1,99999"], "token id 99999 is outside the vocabulary"),
    (["--prompt", "a", "-n", "0"], "new tokens must be at least 1"),
])
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(command.main, arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and not captured.out
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ") and message in line and "Traceback" not in captured.err
