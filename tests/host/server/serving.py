"""A server in a thread of this process, on a port of its own."""

import threading
import time
from contextlib import contextmanager

import httpx
import uvicorn

from host.serve import open_served, parser
from host.server.application import application

__all__ = ["Running", "serving"]


class Running:
    """A server that runs: where, and what it serves."""

    def __init__(self, url, served):
        self.url, self.served = url, served
        self.http = httpx.Client(base_url=url, timeout=60)

    def post(self, path, **fields):
        """(status, answer) of a request."""
        answer = self.http.post(path, json=fields)
        return answer.status_code, answer.json()

    def idle(self):
        """Whether nothing runs or waits, within a while."""
        return wait_for(lambda: self.served.worker.load == 0 and self.served.engine.idle)


def wait_for(condition, tries=2000):
    for _ in range(tries):
        if condition():
            return True
        time.sleep(0.005)
    return False


@contextmanager
def serving(*arguments, threads=True, **settings):
    """Runs `host.serve`'s server with these options, on one thread of the emulator. settings: as of `application`."""
    served = open_served(parser().parse_args([*["--threads", "1"] * threads, *map(str, arguments)]))
    server = uvicorn.Server(uvicorn.Config(application(served, **settings), port=0, log_level="error", ws="none",
                                           timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert wait_for(lambda: server.started or not thread.is_alive()) and server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        running = Running(f"http://127.0.0.1:{port}", served)
        yield running
        running.http.close()
    finally:
        server.should_exit = True
        thread.join()
