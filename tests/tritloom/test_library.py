"""The library from Python: the commands' text, several models, conversations, and an import that costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import host.generate
import tritloom
from models.errors import ModelError, OptionError
from tests.host.test_commands import run
from tritloom import load
from tritloom.library import Chat, LanguageModel

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "It was a truth"


@pytest.fixture(scope="module")
def model():
    with load(n=24) as found:
        yield found


def test_the_text_is_the_commands(model, capsys):
    for options, arguments in (({"seed": 3}, ["--seed", 3]), ({"do_sample": False, "speculate": 4},
                                                              ["--temperature", 0, "--speculate", 4])):
        expected = run(host.generate, "--prompt", PROMPT, "-n", 24, *arguments, "--json", capsys=capsys)
        assert model.generate(PROMPT, **options) == expected["text"] == tritloom.generate(model, PROMPT, **options)


def test_pieces_make_the_text_and_an_end_leaves_nothing(model):
    pieces = list(model.stream(PROMPT))
    assert len(pieces) > 5 and "".join(pieces) == model.generate(PROMPT)
    begun = model.stream(PROMPT)
    assert next(begun)
    begun.close()
    model.stream("never asked for")
    assert model.generate(PROMPT) == "".join(pieces)
    both = [model.stream(PROMPT), model.stream("In the beginning")]
    assert next(both[1]) and "".join(both[0]) == "".join(pieces)


def test_text_ends_at_a_stop_and_at_the_context(model):
    whole = model.generate(PROMPT, do_sample=False, n=None)
    assert model.generate(PROMPT, do_sample=False, n=100_000) == whole and len(whole) > 400
    stop = whole[20:24]
    assert model.generate(PROMPT, do_sample=False, stop=stop) == whole[:whole.index(stop)]


def test_models_do_not_touch_each_other(model):
    alone = model.generate(PROMPT)
    with load("bilingual", n=8) as other:
        assert other.generate(PROMPT) != alone[:8] and model.generate(PROMPT) == alone
        assert "4 layers of 192 channels" in repr(other) != repr(model)
    assert len(repr(model)) < 100 and model.context == 512 and model.name in repr(model)


def test_a_chat_keeps_its_turns(model):
    chat = model.chat()
    first = chat(PROMPT, n=6, do_sample=False)
    again = tritloom.chat(model)
    assert "".join(again.stream(PROMPT, n=6, do_sample=False)) == first
    assert chat.messages == [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": first}]
    assert model.generate(PROMPT, n=6, do_sample=False) == first, "a chat has a cache of its own"
    chat("And", n=3)
    assert repr(chat) == f"<chat with {model.name}, 4 messages>" and isinstance(chat, Chat)
    assert chat.undo() == "And" and len(chat.messages) == 2
    chat.reset()
    assert chat.messages == []


def test_what_cannot_run_is_refused_at_once(model, tmp_path):
    with pytest.raises(OptionError, match="exceeds the context of 512"):
        model.stream("word " * 3000)
    with pytest.raises(OptionError, match="no control token 'scripture'"):
        model.generate(PROMPT, magic="scripture")
    with pytest.raises(OptionError, match="an answer takes no drafts"):
        model.chat().stream(PROMPT, speculate=2)
    with pytest.raises(OptionError, match="unknown option layers"):
        load(layers=3)
    with pytest.raises(ModelError, match="no model"):
        load(tmp_path / "none")


def test_the_import_is_light_and_finds_our_packages(tmp_path):
    """Beside a `models` of the user's, as a script and a notebook have it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    code = ("import sys, tritloom; assert 'numpy' not in sys.modules; assert 'load' in dir(tritloom); "
            f"print(tritloom.load().generate({PROMPT!r}, n=4, do_sample=False), end='')")
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
                           capture_output=True, text=True, check=True)
    assert found.stdout == load().generate(PROMPT, n=4, do_sample=False) != ""
    assert isinstance(tritloom.load(), LanguageModel)
    with pytest.raises(AttributeError, match="no attribute 'loud'"):
        _ = tritloom.loud
