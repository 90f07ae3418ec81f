"""The command on a board: no flag but --device pynq, and the emulator's tokens."""

import json

import pytest

pytest.importorskip("pynq", reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")

from host import generate
from tests.host.board.on_board import BUILD, WORD, put_files, use
from tests.host.board.simulated_board import SimulatedBoard

PROMPT = ["--prompt", "It was a", "-n", "12", "--temperature", "0", "--json"]


@pytest.mark.parametrize("head", [[], ["--head", "shortlist"]], ids=["exact", "shortlist"])
def test_a_board_gives_the_emulators_tokens(tmp_path, monkeypatch, capsys, head):
    put_files(tmp_path, monkeypatch)
    board = use(SimulatedBoard(BUILD, WORD), monkeypatch)
    generate.main([*PROMPT, *head, "--board", "sim-tiny"])
    expected = json.loads(capsys.readouterr().out)
    generate.main([*PROMPT, *head, "--device", "pynq"])
    found = json.loads(capsys.readouterr().out)
    assert found["ids"] == expected["ids"] and len(set(found["ids"])) > 3
    assert (found["device"], found["text"]) == ("pynq", expected["text"]) and board.downloads
