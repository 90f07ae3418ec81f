"""The command: what it refuses in one line, what it says when it listens, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from host import serve
from models.command import run_command


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        run_command(serve.main, list(map(str, arguments)))
    said = capsys.readouterr()
    assert exit_.value.code == 2 and not said.out
    return said.err.strip().splitlines()[-1]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--sequences", 0], "--sequences must be 1 to 16, got 0"), (["--queue", -1], "--queue must be 0 to 1000000"),
    (["--max-tokens", 0], "--max-tokens must be 1 to 2147483648"), (["--port", 70000], "--port must be 0 to 65535"),
    (["--max-body", 0], "--max-body must be 1 to 1024, got 0"), (["--speculate", -1], "--speculate must be 0 to"),
    (["--host", "999.9.9.9", "--port", 0], "cannot listen at 999.9.9.9 port 0: "),
    (["--port", 0, "--model", "nowhere"], "nowhere"), (["--port", 0, "--stage", "nowhere"], "nowhere")])
def test_bad_options_are_one_line(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(capsys, "--port", port) == (
            f"error: cannot listen at 127.0.0.1 port {port}: Address already in use")


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "prometheus_client", "fastjsonschema"])
def test_a_missing_package_says_what_to_install(capsys, monkeypatch, package):
    for name in [name for name in sys.modules if name.startswith(("host.server", package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert refused(capsys, "--host", "999.9.9.9") == (
        f"error: this needs the package {package}: pip install 'tritloom[serve]'")


def test_the_command_serves_until_it_is_told_to_end():
    process = subprocess.Popen([sys.executable, "-m", "host.serve", "--port", "0", "--json", "--alias", "austen",
                                "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {serve.KEY_VARIABLE: "open sesame"})
    try:
        told = json.loads(process.stdout.readline())
        assert told == {"url": told["url"], "model": "austen", "device": "emulator"}
        with httpx.Client(base_url=told["url"], headers={"Authorization": "Bearer open sesame"}) as http:
            assert http.get("/v1/models").json()["data"][0]["id"] == "austen"
            assert http.get("/v1/models", headers={"Authorization": "Bearer x"}).status_code == 401
            assert http.get("/health", headers={"Host": "evil.example"}).status_code == 403
            asked = {"prompt": "It was", "max_tokens": 400, "stream": True}
            with http.stream("POST", "/v1/completions", json=asked) as answer:
                next(answer.iter_lines())
                process.send_signal(signal.SIGTERM)
                process.wait(20)
        assert process.returncode == 128 + signal.SIGTERM
        said = process.stderr.read()
        assert said == f"austen on emulator at {told['url']} (Ctrl-C ends it)\n"
    finally:
        process.kill()
        process.communicate()
