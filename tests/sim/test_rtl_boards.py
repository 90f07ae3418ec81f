"""What is emitted for boards with builds of their own generates the emulator's tokens with the shipped model."""

from __future__ import annotations

import json

import pytest

from host.generate import main


@pytest.mark.slow
@pytest.mark.parametrize("board", ["arty_z7", "rfsoc4x2"])
def test_a_board_generates_the_emulators_tokens(board, capsys):
    found = {}
    for device in ("emulator", "rtl"):
        main(["--device", device, "--board", board, "--prompt", "Once upon a time", "-n", "8", "--json"])
        found[device] = json.loads(capsys.readouterr().out)
    assert found["rtl"]["ids"] == found["emulator"]["ids"] and len(found["rtl"]["ids"]) == 8
