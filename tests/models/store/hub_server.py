"""A hub on this machine: as much of its interface as huggingface_hub asks of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

__all__ = ["COMMIT", "HubServer", "hub_server"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""The one revision of every repository, which is also called main."""


class HubServer(ThreadingHTTPServer):
    """repositories: files by repository and name. gated: those that ask for consent. asked: paths, in order."""

    daemon_threads = True

    def __init__(self, repositories: Mapping[str, Mapping[str, bytes]], gated: frozenset[str] = frozenset()):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.gated, self.asked = repositories, gated, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def hub_server(repositories: Mapping[str, Mapping[str, bytes]], gated: frozenset[str] = frozenset()
               ) -> Iterator[HubServer]:
    with HubServer(repositories, gated) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlparse(self.path).path).strip("/")
        self.server.asked.append(path)
        parts = path.removeprefix("api/models/").split("/")
        repository, kind, revision, file = "/".join(parts[:2]), parts[2:3], parts[3:4], "/".join(parts[4:])
        files = self.server.repositories.get(repository)
        if files is None:
            return self._error(404, "RepoNotFound")
        if repository in self.server.gated:
            return self._error(403, "GatedRepo")
        if revision and revision[0] not in ("main", COMMIT):
            return self._error(404, "RevisionNotFound")
        listed = [{"rfilename": name, "path": name, "type": "file", "size": len(data),
                   "oid": sha256(data).hexdigest()[:40]} for name, data in files.items()]
        if path.startswith("api/") and kind == ["tree"]:
            return self._answer(json.dumps(listed).encode())
        if path.startswith("api/"):
            about = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": listed, "private": False,
                     "tags": [], "downloads": 0, "likes": 0}
            return self._answer(json.dumps(about).encode())
        if kind == ["resolve"] and file in files:
            return self._answer(files[file], ETag=f'"{sha256(files[file]).hexdigest()[:40]}"')
        return self._error(404, "EntryNotFound")

    def _error(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self, data: bytes, **headers: str) -> None:
        self._send(200, data, headers)

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"X-Repo-Commit": COMMIT, "Content-Length": str(len(data))} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
