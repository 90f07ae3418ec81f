"""Lines of a report: for people, as JSON, and the exit status."""

import io
import json

import pytest

from host.bringup.check import State, failed, guarded, passed, report, skipped
from models.errors import DeviceError, OptionError

LINES = [passed("clock", "250.00 MHz", mhz=250.0), skipped("fan", "none"), failed("power", "dead", "mend it")]


def test_a_line_has_its_state_and_its_fix():
    assert LINES[0].line == "pass    clock                  250.00 MHz"
    assert LINES[2].line == "fail    power                  dead\n" + " " * 30 + " -> mend it"


def test_a_failed_line_is_status_1():
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        report(iter(LINES), as_json=False, out=out)
    assert ended.value.code == 1 and out.getvalue().splitlines()[-1] == "1 passed, 1 failed, 1 skipped"
    report(LINES[:2], as_json=False, out=io.StringIO())


def test_json_is_one_object():
    out = io.StringIO()
    with pytest.raises(SystemExit):
        report(LINES, as_json=True, out=out)
    found = json.loads(out.getvalue())
    assert not found["ok"] and [check["state"] for check in found["checks"]] == ["pass", "skipped", "fail"]
    assert found["checks"][0] == {"name": "clock", "state": "pass", "found": "250.00 MHz", "fix": "",
                                  "data": {"mhz": 250.0}}


def test_what_a_device_raises_is_a_failed_line():
    def stopped():
        raise DeviceError("it stopped")

    assert guarded("weights", "mend it", stopped) == failed("weights", "it stopped", "mend it")
    assert guarded("weights", "mend it", lambda: LINES[0]).state == State.PASS
    with pytest.raises(ZeroDivisionError):
        guarded("weights", "mend it", lambda: 1 / 0)
    assert guarded("weights", "x", lambda: (_ for _ in ()).throw(OptionError("no"))).state == State.FAIL
