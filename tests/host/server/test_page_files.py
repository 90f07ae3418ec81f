"""Headers of the page's files: no other origin, nobody's frame, nothing older than the server."""

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from host.server.page_files import PageFiles


def test_every_file_has_them(tmp_path):
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "app.js").write_text("1")
    client = TestClient(Starlette(routes=[Mount("/", PageFiles(directory=tmp_path, html=True))]))
    for path in ("/", "/app.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-cache" and answer.headers["x-content-type-options"] == "nosniff"


def test_the_server_s_page_has_them_and_its_answers_do_not(demo):
    assert demo.http.get("/").headers["cache-control"] == "no-cache"
    assert "cache-control" not in demo.http.get("/health").headers
