"""A chat in a terminal of 40 columns that has a line editor: paste, completion, wrapped answers, Ctrl-C, history."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from host.pipeline.placement import place
from host.sampler import Sampler
from host.stage_options import Chosen
from host.terminal import talk

pytest.importorskip("prompt_toolkit")

COLUMNS = 40
READY = b"\x1b[?2004h"  # the editor asks for pastes in brackets, once for each turn
COLOURS = re.compile(rb"\x1b\[[\d;]*m")


class Chat:
    """The command on a pseudo-terminal."""

    def __init__(self, state, *arguments, **variables):
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))

        def take_terminal():
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background has it ignored
            fcntl.ioctl(0, termios.TIOCSCTTY)

        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(state), "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "host.chat", "--threads", "1", "--temperature", "0", *map(str, arguments)],
            stdin=follower, stdout=follower, stderr=follower, env=environment | variables, start_new_session=True,
            preexec_fn=take_terminal)
        os.close(follower)
        self.seen = b""

    def until(self, text):
        while text not in self.seen:
            assert select.select([self.leader], [], [], 60)[0], self.seen
            self.seen += os.read(self.leader, 4096)
        before, _, self.seen = self.seen.partition(text)
        return before

    def keys(self, keys):
        os.write(self.leader, keys)

    def ends(self, status):
        try:
            while select.select([self.leader], [], [], 60)[0]:
                self.seen += os.read(self.leader, 4096)
        except OSError:  # the other end is closed
            pass
        assert self.process.wait(60) == status and b"Traceback" not in self.seen
        os.close(self.leader)


def test_in_a_terminal(tmp_path):
    chat, file = Chat(tmp_path, "--model", "demo", "-n", "60"), tmp_path / "talk.json"
    assert b"\x1b[2mtritloom-demo, context 512." in chat.until(READY)
    chat.keys(b"\x1b[200~It was\rthe best\x1b[201~\r")
    answer = COLOURS.sub(b"", chat.until(READY).rpartition(b"\x1b[?2004l")[2]).decode().replace("\r", "")
    said, _, speed = answer.rstrip("\n").rpartition("\n[")
    assert re.match(r"\d+ prompt tokens in .*; 60 new in .* \([\d,.]+ tok/s\)\]$", speed)
    assert max(map(len, said.split("\n"))) <= COLUMNS < len(said)
    chat.keys(f"/sav\t{file}\r".encode())
    chat.until(b"saved to ")
    chat.until(READY)
    question, text = (message["content"] for message in json.loads(file.read_text()))
    assert question == "It was\nthe best" and said.split() == text.split()
    chat.keys(f"/save {file}\r".encode())
    chat.until(b"Overwrite it? [y/N] ")
    chat.keys(b"\r")
    assert b"not saved" in chat.until(READY)
    chat.keys(b"\x03")
    chat.until(b"Ctrl-D leaves")
    chat.until(READY)
    chat.keys(b"\x04")
    chat.ends(0)
    assert "+It was\n+the best\n" in (tmp_path / "tritloom" / "chat_history").read_text()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_late_ctrl_c_loses_no_talk(conversation, monkeypatch, terminal):
    done = []

    def run(self, line):
        done.append(line)
        if line == "late":
            raise KeyboardInterrupt
        return line != "quit"

    monkeypatch.setattr(talk, "turns_of", lambda names: iter(["/late", "/help", "/quit", "/more"]))
    monkeypatch.setattr(talk, "at_terminal", lambda: terminal)
    monkeypatch.setattr(talk.Commands, "run", run)
    options = SimpleNamespace(json=False, n=3, stop=[])
    chosen = Chosen([], place([], conversation.session.model))
    with nullcontext() if terminal else pytest.raises(KeyboardInterrupt):
        talk.Talk(conversation, Sampler(), options, chosen).run()
    assert done == (["late", "help", "quit"] if terminal else ["late"])


def test_ctrl_c_ends_an_answer_and_what_was_said_stays(tmp_path):
    chat, file = Chat(tmp_path, "--model", "demo", "--kernels", "numpy", NO_COLOR="1"), tmp_path / "talk.json"
    chat.until(READY)
    chat.keys(b"/set n 400\r")  # for half a minute
    assert b"n: 400" in chat.until(READY)
    chat.keys(b"It was\r")
    chat.until(b"\x1b[?2004l")
    chat.until(b" ")
    chat.keys(b"\x03")
    shown = chat.until(READY)
    assert b"[interrupted]" in shown and b"\x1b[2m" not in shown
    chat.keys(f"/save {file}\r".encode())
    chat.until(b"saved to ")
    chat.until(READY)
    assert json.loads(file.read_text())[1]["content"].split()
    chat.keys(b"\x04")
    chat.ends(0)
