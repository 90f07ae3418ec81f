"""Control tokens by their names: in commands, in front of every window of a score, one a request of a batch."""

import json
import shutil

import pytest

from host import batch, chat, generate, score
from host.control_tokens import control_token
from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from models.checkpoint import load_model
from models.config import resolve_model
from models.errors import ModelError
from models.machine.build import CPU
from tests.host.test_commands import refused, run

TOKENS = {"scripture": 300, "austen": 301}  # words of the shipped model, taken for control tokens
PROMPT = [0, 5, 6, 7, 8]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped model as if it were trained with control tokens."""
    folder = tmp_path_factory.mktemp("models") / "magic"
    shutil.copytree(resolve_model("demo"), folder)
    data = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(data | {"magic": TOKENS}))
    return folder


def test_generate_puts_the_token_first(folder, capsys):
    def ids(*arguments):
        return run(generate, "--model", folder, "-n", 6, "--temperature", 0, "--json", *arguments, capsys=capsys)

    told = ids("--ids", "0,5,6,7,8", "--magic", "austen")
    assert told["prompt_ids"] == [301, *PROMPT]
    assert told["ids"] == ids("--ids", "301,0,5,6,7,8")["ids"] != ids("--ids", "0,5,6,7,8")["ids"]
    together = run(batch, "--model", folder, "-n", 6, "--temperature", 0, "--json", "--ids", "0,5,6,7,8", "--ids", "9",
                   "--magic", "austen", capsys=capsys)
    assert [row["prompt_ids"] for row in together["results"]] == [[301, *PROMPT], [301, 9]]


def test_requests_of_one_batch_have_tokens_of_their_own(folder):
    def requests():
        return [Request(PROMPT, Sampler(0.0), 6, ends=(), magic=token) for token in (300, 301, None)]

    model = load_model(folder)
    engine = Engine(Session(model, EmulatorDevice(CPU), sequences=3))
    replies = [engine.add(request) for request in requests()]
    for _ in engine.run():
        pass
    assert [reply.request.ids[0] for reply in replies] == [300, 301, 0]
    alone = [Engine(Session(model, EmulatorDevice(CPU))).complete(request).ids for request in requests()]
    assert [reply.ids for reply in replies] == alone
    assert len({tuple(ids) for ids in alone}) == 3


def test_every_window_of_a_score_begins_with_the_token(folder, capsys):
    ids, context = [5, 6, 7, 8, 9, 10, 11, 12, 13], 6

    def nll(*given, length=context, told=()):
        return run(score, "--model", folder, "--ids", ",".join(map(str, given)), "--context", length, "--json", *told,
                   capsys=capsys)["nll"]

    # windows of 5 behind the token, a stride of 2: those after the first score what the one before did not reach
    parts = [nll(300, *ids[:6], length=7) - nll(300, 5, length=7)]
    parts += [nll(300, *ids[start:end], length=7) - nll(300, *ids[start:scored], length=7)
              for start, scored, end in ((2, 6, 8), (4, 8, 9))]
    assert nll(*ids, told=("--magic", "scripture")) == pytest.approx(sum(parts))
    assert nll(*ids) != pytest.approx(sum(parts))


def test_a_chat_begins_with_the_token(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO("It was\n"))
    run_chat = ["--model", folder, "-n", 3, "--temperature", 0, "--json"]
    told = run(chat, *run_chat, "--magic", "austen", capsys=capsys)
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO("It was\n"))
    plain = run(chat, *run_chat, capsys=capsys)
    assert told["prompt_tokens"] == plain["prompt_tokens"] + 1


def test_a_name_that_the_model_lacks_is_refused_with_those_that_it_has(folder, capsys):
    for command, what in ((generate, ("--ids", "1")), (score, ("--ids", "1,2")), (chat, ()), (batch, ("--ids", "1"))):
        line = refused(command, "--model", folder, *what, "--magic", "latin", capsys=capsys)
        assert "the model has no control token 'latin': it has scripture, austen" in line
    assert "it was trained with none" in refused(generate, "--ids", "1", "--magic", "latin", capsys=capsys)
    assert control_token(folder, None) is None


@pytest.mark.parametrize("magic", [[], {"a": 2048}, {"a": -1}, {"": 1}, {"a": True}, {"a": "1"}])
def test_a_damaged_list_is_refused(folder, tmp_path, magic):
    data = json.loads((folder / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(data | {"magic": magic}))
    with pytest.raises(ModelError, match="model.json: magic: expected an object from names to ids below 2048"):
        control_token(tmp_path, "a")
