"""What is emitted for boards smaller than the simulated one generates the emulator's tokens with the shipped model."""

from __future__ import annotations

import json

import pytest

from host.generate import main


@pytest.mark.slow
def test_the_arty_z7_generates_the_emulators_tokens(capsys):
    found = {}
    for device in ("emulator", "rtl"):
        main(["--device", device, "--board", "arty_z7", "--prompt", "Once upon a time", "-n", "8", "--json"])
        found[device] = json.loads(capsys.readouterr().out)
    assert found["rtl"]["ids"] == found["emulator"]["ids"] and len(found["rtl"]["ids"]) == 8
