"""Requests made of the published description, valid and not: none is a server error or other than described."""

import hypothesis
import pytest
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from host.server.application import routes_of
from host.server.openapi import document
from tests.host.server.serving import serving

OPERATIONS = [(path, method) for path, methods in document()["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def api():
    with serving("--max-tokens", 2, "--sequences", 4) as running:
        yield schemathesis.openapi.from_url(f"{running.url}/openapi.json")


@pytest.mark.parametrize(("path", "method", "mode"), [
    (path, method, mode) for path, method in OPERATIONS for mode in GenerationMode
    if method == "post" or mode == GenerationMode.POSITIVE])  # nothing can be wrong in what has no body
def test_no_request_is_a_server_error(api, path, method, mode):
    """What fits the schema may still be refused: a stage that is not there, a prompt of another model's ids."""

    @hypothesis.given(case=api[path][method].as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=15 if method == "post" else 3, deadline=None, derandomize=True,
                         database=None, suppress_health_check=list(hypothesis.HealthCheck))
    def ask(case):
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()


def test_every_route_is_described():
    assert {(path, method.upper()) for path, method in OPERATIONS} == {
        (path.replace(":path", ""), method) for path, method in routes_of()} - {("/openapi.json", "GET")}
