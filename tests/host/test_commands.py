"""The commands on the shipped model: JSON keys, determinism, bad input in one line with exit status 2."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host import generate, score
from host.scoring import perplexity
from models.checkpoint import load_model
from models.command import run_command


def run(command, *arguments, capsys):
    run_command(command.main, [str(a) for a in arguments])
    return json.loads(capsys.readouterr().out)


def refused(command, *arguments, capsys):
    """The one line on standard error of a refused call."""
    with pytest.raises(SystemExit) as exit_:
        run_command(command.main, [str(a) for a in arguments])
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and not captured.out
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ") and "Traceback" not in captured.err
    return line


def test_generate_greedy_is_deterministic(capsys):
    first = run(generate, "--temperature", 0, "-n", 6, "--json", capsys=capsys)
    second = run(generate, "--temperature", 0, "-n", 6, "--json", capsys=capsys)
    assert set(first) == {"model", "prompt_ids", "ids", "text", "finish", "prefill_s", "decode_s", "tokens_per_s",
                          "device", "saturations"}
    assert (first["model"], first["finish"]) == ("tritloom-demo", "limit")
    assert first["ids"] == second["ids"] and len(first["ids"]) == 6 and first["text"]


def test_generate_streams_the_text_that_json_gives(capsys):
    run_command(generate.main, ["--prompt", "It was", "-n", "8", "--seed", "3"])
    streamed = capsys.readouterr().out
    whole = run(generate, "--prompt", "It was", "-n", 8, "--seed", 3, "--json", capsys=capsys)
    assert streamed == "It was" + whole["text"] + "\n"


def test_stop_strings_end_the_text_before_them(capsys):
    whole = run(generate, "-n", 30, "--seed", 1, "--json", capsys=capsys)
    stop = whole["text"][10:13]
    short = run(generate, "-n", 30, "--seed", 1, "--stop", stop, "--stop", "never there", "--json", capsys=capsys)
    assert short["text"] == whole["text"][:whole["text"].index(stop)]
    assert short["ids"] == whole["ids"][:len(short["ids"])] and len(short["ids"]) < 30
    run_command(generate.main, ["-n", "30", "--seed", "1", "--stop", stop])
    assert capsys.readouterr().out == generate.DEFAULT_PROMPT + short["text"] + "\n"


def test_ids_instead_of_a_prompt(capsys, tmp_path):
    prompted = run(generate, "-n", 6, "--temperature", 0, "--json", capsys=capsys)
    ids = ",".join(map(str, prompted["prompt_ids"]))
    assert run(generate, "--ids", ids, "-n", 6, "--temperature", 0, "--json", capsys=capsys)["ids"] == prompted["ids"]
    demo = load_model("demo").folder
    for path in demo.iterdir():
        if path.name != "tokenizer.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    given = run(generate, "--model", tmp_path, "--ids", ids, "-n", 6, "--temperature", 0, "--json", capsys=capsys)
    assert given["ids"] == prompted["ids"] and given["text"] is None
    run_command(generate.main, ["--model", str(tmp_path), "--ids", ids, "-n", "6", "--temperature", "0"])
    assert capsys.readouterr().out.split() == [str(token) for token in prompted["ids"]]
    assert "has no tokenizer.json: give token ids" in refused(generate, "--model", tmp_path, capsys=capsys)
    assert "--stop needs a tokenizer" in refused(generate, "--model", tmp_path, "--ids", ids, "--stop", "x",
                                                 capsys=capsys)


def test_a_start_token_in_the_prompt_is_not_doubled(capsys):
    plain = run(generate, "--prompt", "It was", "-n", 2, "--json", capsys=capsys)
    named = run(generate, "--prompt", "<|endoftext|>It was", "-n", 2, "--json", capsys=capsys)
    assert plain["prompt_ids"] == named["prompt_ids"] and plain["prompt_ids"][0] == 0


def test_a_penalty_changes_what_is_said(capsys):
    options = ["-n", 30, "--temperature", 0, "--json"]
    plain = run(generate, *options, capsys=capsys)["ids"]
    penalised = run(generate, *options, "--repeat-penalty", 1e6, "--repeat-last", -1, capsys=capsys)
    assert len(set(penalised["ids"])) == 30 > len(set(plain))
    assert not set(penalised["ids"]) & set(penalised["prompt_ids"])


def test_seeds_differ(capsys):
    draws = {run(generate, "-n", 8, "--temperature", 1.5, "--seed", seed, "--json", capsys=capsys)["text"]
             for seed in range(4)}
    assert len(draws) > 1


def test_score_reports_and_writes_logits(capsys, tmp_path):
    result = run(score, "--ids", "1,2,3,4,5", "--logits", tmp_path / "out.npy", "--json", capsys=capsys)
    assert set(result) == {"tokens", "characters", "nll", "perplexity", "bits_per_character", "sparsity",
                           "saturations", "stages", "weight_bytes", "weight_bytes_read"}
    assert 0 < result["weight_bytes_read"] <= result["weight_bytes"]
    logits = np.load(tmp_path / "out.npy")
    assert logits.dtype == np.float32 and logits.shape == (5, load_model("demo").config.vocab_size)
    p = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    assert result["nll"] == pytest.approx(-np.log(p[np.arange(4), [2, 3, 4, 5]]).sum(), rel=1e-5)


def test_score_of_a_text_longer_than_the_context(capsys, texts):
    config = load_model("demo").config
    result = run(score, "--text", texts / "austen.txt", "--json", capsys=capsys)
    text = (texts / "austen.txt").read_text()
    assert result["characters"] == len(text)
    assert 0 < result["bits_per_character"] < 3  # repetition is easy to predict
    long = texts / "long.txt"
    long.write_text(text * 4)
    result = run(score, "--text", long, "--json", capsys=capsys)
    assert result["tokens"] > config.context


@pytest.mark.parametrize("command, option, arguments", [
    (score, "--logits", ["--text", "no/such/file"]),
    (pipeline, "-o", ["fit", "--kind", "steering", "--method", "difference-of-means", "--toward", "no/such/file",
                      "--away", "no/such/file"]),
    (pipeline, "-o", ["fit", "--kind", "sparsity", "--method", "teal", "--text", "no/such/file"])])
def test_outputs_are_checked_before_the_work(command, option, arguments, capsys, tmp_path):
    line = refused(command, *arguments, option, tmp_path / "none" / "x", capsys=capsys)
    assert "x cannot be written: No such file or directory" in line
    assert "cannot read no/such/file" in refused(command, *arguments, option, tmp_path / "x", capsys=capsys)
    assert not list(tmp_path.iterdir())


def test_texts_of_any_system_are_the_same_text(capsys, texts):
    text = (texts / "austen.txt").read_text().replace(". ", ".\n")
    (texts / "unix.txt").write_bytes(text.encode())
    (texts / "windows.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    found = [run(score, "--text", texts / name, "--json", capsys=capsys) for name in ("unix.txt", "windows.txt")]
    assert found[0] == found[1]


def test_text_ends_at_the_context(capsys):
    arguments = ["--ids", ",".join(["7"] * 500), "-n", "5000", "--temperature", "0", "--json"]
    run_command(generate.main, arguments)
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["ids"]) == 512 - 500 + 1
    assert "note: the text ends at the context of 512 tokens" in captured.err


@pytest.mark.parametrize("given", [b"It was a truth", b"It was a truth\n", b"\xef\xbb\xbfIt was a truth\r\n"])
def test_a_prompt_may_come_from_standard_input(given, capsys, monkeypatch):
    expected = run(generate, "--prompt", "It was a truth", "-n", 2, "--json", capsys=capsys)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert run(generate, "--prompt", "-", "-n", 2, "--json", capsys=capsys)["ids"] == expected["ids"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert "the prompt is empty" in refused(generate, "--prompt", "-", capsys=capsys)


@pytest.mark.parametrize("arguments, given, prompt", [
    ([], "She had\n", "She had"), ([], "", generate.DEFAULT_PROMPT), (["--prompt", "He"], "She had", "He"),
    (["--ids", "5,6"], "She had", None)])
def test_what_is_piped_in_is_the_prompt_without_another(arguments, given, prompt, capsys, monkeypatch, tmp_path):
    expected = [5, 6] if prompt is None else run(generate, "--prompt", prompt, "-n", 1, "--json",
                                                 capsys=capsys)["prompt_ids"]
    (tmp_path / "given").write_text(given)
    out, into = os.pipe()
    os.write(into, given.encode())
    os.close(into)
    for opened in (tmp_path / "given", out):
        with open(opened) as file:
            monkeypatch.setattr("sys.stdin", file)
            assert run(generate, *arguments, "-n", 1, "--json", capsys=capsys)["prompt_ids"] == expected


def test_a_text_to_score_may_come_from_standard_input(capsys, monkeypatch, texts):
    given = (texts / "austen.txt").read_bytes()[:300]
    (texts / "short.txt").write_bytes(given)
    expected = run(score, "--text", texts / "short.txt", "--json", capsys=capsys)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.replace(b"\n", b"\r\n"))))
    assert run(score, "--text", "-", "--json", capsys=capsys) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "standard input is empty" in refused(score, "--text", "-", capsys=capsys)


@pytest.mark.parametrize("arguments,message", [
    (["--model", "no/such/model"], "no/such/model"),
    (["--prompt", ""], "the prompt is empty"),
    (["--prompt", "word " * 3000], "exceeds the context of 512"),
    (["-n", "0"], "new tokens must be at least 1, got 0"),
    (["--device", "abacus"], "unknown device 'abacus'; known: emulator, rtl, serial, pynq"),
    (["--board", "abacus"], "unknown board 'abacus'"),
    (["--temperature", "-1"], "temperature must not be negative"),
    (["--top-p", "0"], "top p must be in (0, 1]"),
    (["--min-p", "-0.1"], "min p must be in [0, 1]"),
    (["--repeat-penalty", "0"], "repeat penalty must be positive"),
    (["--stop", ""], "a stop string must not be empty"),
    (["--ids", "1,x"], "--ids must be numbers with commas between, got '1,x'"),
    (["--ids", "1,99999"], "token id 99999 is outside the vocabulary"),
    (["--ids", f"1,{10**30}"], "a token id is far outside the vocabulary of 2048"),
    (["--top-k", str(10**30), "--top-p", "2"], "top p must be in (0, 1], got 2.0"),
    (["--threads", "100000"], "threads must be 1 to 256, got 100000"),
    (["--threads", "0"], "threads must be 1 to 256, got 0"),
    (["--kernels", "abacus"], "unknown kernels 'abacus'"),
    (["--speculate", "0"], "drafts must be at least 1, got 0"),
    (["--model", "a" * 300], "no model folder at aaa"),
    (["--stop", "and<|endoftext|>"], "the special token <|endoftext|> in it is no part of the text"),
    (["--prompt", "ab\udcff"], "the text is not Unicode"),
    (["--stage", "no/such/file"], "cannot read artefact no/such/file"),
    (["--stage", "no/such/file:2"], "cannot read artefact no/such/file"),
    (["--place", "nowhere"], "invalid choice: 'nowhere'"),
])
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    assert message in refused(generate, *arguments, capsys=capsys)


def test_a_damaged_model_is_one_line_and_status_2(capsys, tmp_path):
    demo = load_model("demo").folder
    for path in demo.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "model.safetensors" in refused(generate, "--model", tmp_path, capsys=capsys)
    (tmp_path / "model.json").write_text("{")
    assert "model.json" in refused(generate, "--model", tmp_path, capsys=capsys)


def test_a_context_beyond_the_build_is_cut_and_said(capsys, tmp_path):
    demo: Path = load_model("demo").folder
    for path in demo.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    metadata = json.loads((tmp_path / "model.json").read_text())
    metadata["config"]["context"] = 100_000
    (tmp_path / "model.json").write_text(json.dumps(metadata))
    generate.main(["--model", str(tmp_path), "-n", "2", "--json"])
    out, err = capsys.readouterr()
    assert len(json.loads(out)["ids"]) == 2
    assert "the context is 4096 tokens of the model's 100000" in err
    assert "--context must be 1 to the model's 100000, got 0" in refused(
        generate, "--model", tmp_path, "--context", "0", capsys=capsys)


@pytest.mark.parametrize("streams, status, out, err", [
    ("2>&-", 0, True, False), (">&-", 0, False, True), ("| true", 0, False, True), ("> /dev/full", 2, False, True)])
def test_closed_and_full_streams(streams, status, out, err):
    command = f"set -o pipefail; {sys.executable} -m host.generate -n 2 {streams}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, bool(done.stdout)) == (status, out) and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: No space left") if status else bool(done.stderr) <= err


def test_perplexity_of_noise_is_none_not_an_overflow():
    assert perplexity(10.0, 10) == pytest.approx(2.718281828)
    assert perplexity(800.0 * 5, 5) is None and perplexity(0.0, 0) is None
