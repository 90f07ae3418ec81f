"""What commands do to a talk, and what they say."""

import json

import pytest

from host.terminal.commands import HELP, Commands
from models.errors import ModelError, OptionError

TALK = [{"role": "user", "content": "well"}, {"role": "assistant", "content": "so"}]


@pytest.fixture
def commands(conversation, settings):
    """Commands whose notes and questions to the model are kept, and that take yes for an answer."""
    said = []
    made = Commands(conversation, settings, answer=lambda question: said.append(f"? {question}"), note=said.append,
                    confirmed=lambda _: True, speed=lambda: "3 new")
    made.said = said
    return made


def test_help_names_every_command(commands):
    assert commands.run("help")
    assert all(f"\n/{name} " in f"\n{HELP}" for name in commands.names().commands) and commands.said == [HELP]
    assert [commands.run(name) for name in ("quit", "exit", "bye")] == [False] * 3


def test_set_says_what_holds(commands):
    commands.run("set temperature 0.3")
    commands.run("set stop the end")
    commands.run("set")
    assert commands.said[:2] == ["temperature: 0.3", 'stop: "the end"']
    assert "temperature: 0.3\ntop-k: 0\n" in commands.said[2]


def test_show(commands, conversation):
    conversation.resume([{"role": "system", "content": "Be \x1bbrief."}, *TALK])
    conversation.session.model.provenance["license"] = "MIT"
    commands.run("show")
    rows = dict(line.split(None, 1) for line in commands.said[0].split("\n"))
    assert rows["model"].startswith("silu full heads, ") and rows["licence"] == "MIT" and rows["speed"] == "3 new"
    assert rows["context"] == f"{conversation.size()} of 256 tokens, 1 turn" and rows["system"] == "Be \\x1bbrief."
    assert rows["temperature"] == "0.7" and rows["template"] == "yes"


def test_what_was_saved_is_loaded(commands, conversation, tmp_path):
    conversation.resume(TALK)
    commands.run(f"save {tmp_path}/a talk.json")
    commands.run("reset")
    assert conversation.messages == []
    commands.run(f"load {tmp_path}/a talk.json")
    assert conversation.messages == TALK == json.loads((tmp_path / "a talk.json").read_text())
    assert commands.said == [f"saved to {tmp_path}/a talk.json", "a new conversation",
                             f"1 turn from {tmp_path}/a talk.json"]
    commands.run("again")
    assert commands.said[-1] == "? well"


def test_save_asks_before_it_overwrites(commands, tmp_path):
    path = tmp_path / "talk.json"
    for answer, kept in ((False, True), (None, True), (True, False)):
        path.write_text("precious")
        commands._confirmed = None if answer is None else lambda question, answer=answer: answer
        if answer is None:
            with pytest.raises(OptionError, match="overwrites only where it can ask"):
                commands.run(f"save {path}")
        else:
            commands.run(f"save {path}")
        assert (path.read_text() == "precious") == kept
    assert commands.said == ["not saved", f"saved to {path}"]


def test_a_talk_that_cannot_be_loaded_leaves_the_one_that_is(commands, conversation, tmp_path):
    conversation.resume(TALK)
    path = tmp_path / "talk.json"
    for content in ("{", "[1]"):
        path.write_text(content)
        with pytest.raises(OptionError, match="is no talk"):
            commands.run(f"load {path}")
    for line in ("load", "save", "abacus", "load no/such/file"):
        with pytest.raises(OptionError):
            commands.run(line)
    path.write_text(json.dumps([{"role": "system", "content": "s"}, *TALK]))
    conversation.template.render = lambda *_, **__: (_ for _ in ()).throw(ModelError("no system messages"))
    with pytest.raises(ModelError):
        commands.run(f"load {path}")
    assert conversation.messages == TALK and commands.said == []
