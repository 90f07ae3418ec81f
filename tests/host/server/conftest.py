"""Servers that several tests of a file share."""

import pytest

from tests.host.server.serving import serving


@pytest.fixture(scope="module")
def demo():
    """The shipped model, which has no chat template."""
    with serving("--queue", 8) as running:
        yield running
