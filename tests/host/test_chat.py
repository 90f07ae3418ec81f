"""The chat command: lines in, answers out; commands; Ctrl-C; one run in a terminal."""

import fcntl
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from contextlib import suppress

import numpy as np
import pytest

from host import chat
from host.pipeline.artefact import save_artefact
from host.runtime import Session
from models.checkpoint import load_model
from models.command import run_command
from models.config import SHIPPED
from models.model_hash import model_hash
from tests.host.test_conversation import BASE, models  # noqa: F401  a fixture


@pytest.fixture
def talk(monkeypatch, capsys, models):  # noqa: F811
    """Run the command over lines; gives (standard output, standard error)."""

    def run(lines, *arguments, kind="ChatML"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        model = ["--model", kind if kind in SHIPPED else str(models[kind])]
        run_command(chat.main, [*model, "-n", "6", "--threads", "1", *map(str, arguments)])
        return capsys.readouterr()

    return run


def answers(talked):
    return [json.loads(line) for line in talked.out.splitlines()]


def test_every_line_is_a_turn(talk):
    first, second = answers(talk(["well", "", "and you?"], "--json"))
    assert set(first) == {"prompt_tokens", "cached_tokens", "dropped_turns", "ids", "text", "prefill_s", "decode_s",
                          "finish", "tokens_per_s", "saturations"}
    assert first["cached_tokens"] == 0 < second["cached_tokens"] < second["prompt_tokens"]
    assert len(first["ids"]) == len(second["ids"]) == 6


def test_answers_stream_to_standard_output_and_notes_to_standard_error(talk):
    talked = talk(["well"], "--temperature", 0)
    whole, = answers(talk(["well"], "--temperature", 0, "--json"))
    assert talked.out == whole["text"] + "\n"
    assert "llama" not in talked.err and "silu full heads, context 256" in talked.err
    assert f"[{whole['prompt_tokens']} prompt tokens in " in talked.err and "; 6 new in " in talked.err


def test_again_and_undo(talk):
    first, again, other, back = answers(talk(
        ["well", "/again", "/undo", "one two", "/undo", "well"], "--temperature", 0, "--json"))
    assert first["ids"] == again["ids"] == back["ids"]
    assert again["cached_tokens"] == first["prompt_tokens"] - 1
    assert first["prompt_tokens"] == back["prompt_tokens"] != other["prompt_tokens"]
    assert "taken back: well" in talk(["well", "/undo"]).err and "nothing to take back" in talk(["/undo"]).err


def test_reset_and_system(talk):
    plain, system, none, reset = answers(talk(
        ["well", "/reset", "/system Be brief.", "well", "/reset", "/system", "well", "/reset", "well"], "--json"))
    assert plain["prompt_tokens"] == none["prompt_tokens"] == reset["prompt_tokens"] < system["prompt_tokens"]
    given, = answers(talk(["well"], "--system", "Be brief.", "--json"))
    assert given["prompt_tokens"] == system["prompt_tokens"]


def test_save(talk, tmp_path):
    file = tmp_path / "saved.json"
    whole, = answers(talk(["wéll", f"/save {file}"], "--system", "Be brief.", "--json"))
    assert json.loads(file.read_text()) == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "wéll"},
        {"role": "assistant", "content": whole["text"].strip()}]


def test_lines_end_where_they_should(talk, tmp_path):
    file = tmp_path / "saved.json"
    talk(["one\\", "two", " /undo", f"/save {file}", "/quit", "never"])
    questions = [message["content"] for message in json.loads(file.read_text()) if message["role"] == "user"]
    assert questions == ["one\ntwo", " /undo"]


def test_help_lists_the_commands(talk):
    text = talk(["/help"]).err
    assert all(f"/{name}" in text for name in ("help", "again", "undo", "reset", "system", "save", "quit"))


def test_save_overwrites_nothing_where_it_cannot_ask(talk, capsys, tmp_path):
    file = tmp_path / "saved.json"
    file.write_text("precious")
    with pytest.raises(SystemExit) as exit_:
        talk(["well", f"/save {file}"])
    assert exit_.value.code == 2 and file.read_text() == "precious"
    assert f"error: {file} exists: /save overwrites only where it can ask" in capsys.readouterr().err


def test_names_out_of_files_are_escaped(talk, models, tmp_path):  # noqa: F811
    for path in models["ChatML"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    metadata = json.loads((tmp_path / "model.json").read_text())
    metadata["config"]["name"] = "\x1b]0;owned\x07a\nforged\u2028line"
    (tmp_path / "model.json").write_text(json.dumps(metadata))
    models["forged"] = tmp_path
    try:
        assert talk([], kind="forged").err.startswith("\\x1b]0;owned\\x07a\\nforged\\u2028line, context 256. ")
    finally:
        del models["forged"]


def test_a_closed_standard_input_ends_it_without_a_word(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    run_command(chat.main, [])
    assert capsys.readouterr() == ("", "")


def test_a_stop_that_names_a_special_token(talk, monkeypatch):
    said = iter([300, BASE + 4, 301])
    monkeypatch.setattr(chat, "sampler_from", lambda options: lambda top, history: next(said))
    answer, = answers(talk(["well"], "--stop", "<|eot_id|>", "--json"))
    assert answer["ids"] == [300] and next(said) == 301


@pytest.mark.parametrize("lines, arguments, message", [
    (["/abacus"], [], "unknown command /abacus; /help lists them"),
    (["/save"], [], "/save needs a file name"), (["/save /no/such/folder/x"], [], "cannot be written"),
    (["/save a\0b"], [], "standard input is not UTF-8"), ([f"/save {'a' * 300}"], [], "File name too long"),
    ([], ["--stop", "x<|eot_id|>"], "the special token <|eot_id|> in it is no part of the text"),
    (["/stage"], [], "there are no stages"),
    (["/again"], [], "there is no question yet"), (["well " * 300], [], "the message is too long"),
    ([], ["-n", "0"], "-n must be at least 1"), ([], ["--stop", ""], "a stop string must not be empty"),
    ([], ["--min-p", "2"], "min p must be in"),
])
def test_bad_input_is_one_line_and_status_2(talk, capsys, lines, arguments, message):
    with pytest.raises(SystemExit) as exit_:
        talk(lines, *arguments)
    assert exit_.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ") and message in line


def test_strengths_change_in_mid_chat(talk, capsys, tmp_path):
    model = load_model("demo")
    vectors = np.random.default_rng(0).standard_normal((model.config.layers, model.config.hidden_size))
    path = tmp_path / "steer.safetensors"
    save_artefact(path, "steering", "difference-of-means", ["residual"], {"vectors": vectors}, model=model_hash(model),
                  fit={})
    plain, = answers(talk(["It was"], "--json", "--temperature", 0, kind="demo"))
    talked = talk(["It was", "/reset", "/stage 1 0", "It was", "/reset", "/stage 1 3", "It was", "/stage"], "--json",
                  "--temperature", 0, "--stage", f"{path}:3", kind="demo")
    steered, zero, again = answers(talked)
    assert zero["ids"] == plain["ids"] != steered["ids"] == again["ids"]
    assert talked.err.count("steering by difference-of-means, strength 3") == 2 and "strength 0" in talked.err
    for line, words in (("/stage 2 1", "no stage 2"), ("/stage 1 much", "a stage's number and a strength")):
        with pytest.raises(SystemExit):
            talk([line], "--stage", path, kind="demo")
        assert words in capsys.readouterr().err


def test_a_system_message_for_a_model_that_takes_none(talk, capsys):
    with pytest.raises(SystemExit):
        talk([], "--system", "Be brief.", kind="Mistral")
    assert "Only user and assistant roles are supported!" in capsys.readouterr().err


def test_a_plain_model_says_so_and_continues(talk):
    talked = talk(["It was", ""], kind="demo")
    assert "it continues your text" in talked.err and len(talked.out.splitlines()) >= 2
    first, second = answers(talk(["It was", ""], "--json", "--temperature", 0, kind="demo"))
    assert second["cached_tokens"] >= first["prompt_tokens"]


def test_the_shipped_chat_model_answers_in_turns(talk, monkeypatch, capsys):
    talked = talk(["Do you like dancing?", "And whom did you dance with?"], "--json", "--temperature", 0, "-n", 60,
                  kind="chat")
    first, second = answers(talked)
    assert first["text"] and second["text"] and {first["finish"], second["finish"]} == {"end"}
    assert second["cached_tokens"] >= first["prompt_tokens"] + len(first["ids"]) - 1
    system, plain = (answers(talk(["well?"], "--json", "--temperature", 0, *given, kind="chat"))[0]
                     for given in (("--system", "It rained."), ()))
    assert system["prompt_tokens"] > plain["prompt_tokens"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    run_command(chat.main, [])
    assert capsys.readouterr().err.startswith("tritloom-chat, "), "without --model it is this one"


@pytest.mark.parametrize("at", [2, 4])
def test_ctrl_c_ends_the_answer_and_keeps_it(talk, monkeypatch, tmp_path, at):
    advance, count = Session.advance, 0

    def interrupted(session, *given):
        nonlocal count
        count += 1
        if count == at:  # the first token comes from the prompt's pass
            signal.raise_signal(signal.SIGINT)
        return advance(session, *given)

    monkeypatch.setattr(Session, "advance", interrupted)
    file = tmp_path / "saved.json"
    talked = talk(["well", "and you?", f"/save {file}"], "--json")
    first, second = answers(talked)
    assert len(first["ids"]) == at and len(second["ids"]) == 6 and "[interrupted]" in talked.err
    assert json.loads(file.read_text())[1]["content"] == first["text"].strip()


def test_ctrl_c_in_the_prompt_takes_the_question_back(talk, monkeypatch):
    advance = Session.advance

    def interrupted(session, *given):
        monkeypatch.setattr(Session, "advance", advance)
        signal.raise_signal(signal.SIGINT)
        return advance(session, *given)

    monkeypatch.setattr(Session, "advance", interrupted)
    talked = talk(["well", "well"], "--json")
    first, second = answers(talked)
    assert first["ids"] == [] and len(second["ids"]) == 6 and "the question was taken back" in talked.err
    assert second["prompt_tokens"] == first["prompt_tokens"] and second["cached_tokens"] > 0


def test_what_was_dropped_is_said(talk):
    talked = talk([f"question {turn} " + "well " * 20 for turn in range(6)], "-n", 40)
    assert "the context of 256 is full: the oldest" in talked.err
    assert "[the answer ends here: the context of 256 is full]" in talk(["well"], "-n", 10_000).err


@pytest.mark.parametrize("ends, status", [(b"\x04", 0), (b"\x03", 130)])
def test_in_a_terminal(models, tmp_path, ends, status):  # noqa: F811
    """A prompt, an answer, an error that does not end it, a file not overwritten and then overwritten, an end."""
    file = tmp_path / "saved.json"
    file.write_text("precious")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "host.chat", "--model", str(models["ChatML"]), "-n", "4"]

    def take_terminal():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background has it ignored
        fcntl.ioctl(0, termios.TIOCSCTTY)

    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, close_fds=True,
                               env=os.environ | {"TERM": "dumb", "NO_COLOR": "1"}, start_new_session=True,
                               preexec_fn=take_terminal)
    os.close(follower)
    seen = b""

    def until(text):
        nonlocal seen
        while text not in seen:
            assert select.select([leader], [], [], 60)[0], seen
            seen += os.read(leader, 4096)
        before, _, seen = seen.partition(text)
        return before

    try:
        assert b"context 256" in until(b"\n> ")
        os.write(leader, b"/abacus\n")
        assert b"error: unknown command /abacus" in until(b"\n> ")
        os.write(leader, b"well\n")
        assert b"; 4 new in " in until(b"\n> ")
        for reply, kept in ((b"\n", True), (b"y\n", False)):
            os.write(leader, f"/save {file}\n".encode())
            assert b"saved.json exists." in until(b"Overwrite it? [y/N] ")
            os.write(leader, reply)
            assert (b"not saved" in until(b"\n> ")) == kept == (file.read_text() == "precious")
        for _ in range(60):  # again and again: Python's readline misses a Ctrl-C between its prompt and its wait
            os.write(leader, ends)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
        assert process.poll() == status
        assert b"Traceback" not in seen
    finally:
        process.kill()
        os.close(leader)
