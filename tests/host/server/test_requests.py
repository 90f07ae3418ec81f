"""What a request does not say: the model's own defaults of sampling, else the commands'."""

from host.server.requests import engine_requests
from tests.host.server.serving import serving


def sampler(served, **fields):
    request, = engine_requests(served, fields, [[5]], limit=1)
    return request.sampler


def test_the_model_s_defaults_hold_unless_a_request_says_otherwise():
    with serving() as running:
        served = running.served
        assert (sampler(served).temperature, sampler(served).top_p) == (0.7, 0.95)
        served.sampling = {"temperature": 0.2, "top_k": 5}
        assert (sampler(served).temperature, sampler(served).top_k, sampler(served).top_p) == (0.2, 5, 0.95)
        assert (sampler(served, temperature=0.9).temperature, sampler(served, top_k=0).top_k) == (0.9, 0)
