"""GET /metrics, in Prometheus' text form."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.server.served import Served

__all__ = ["metrics"]


async def metrics(served: Served, _: HttpRequest) -> Response:
    """Counters since the start, and what runs now."""
    registry = CollectorRegistry()
    registry.register(_Counts(served))
    body = generate_latest(registry) + generate_latest(served.worker.tally.histograms)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Counts(Collector):
    """One reading of what a server has counted."""

    def __init__(self, served: Served):
        self._served = served

    def collect(self) -> Iterable[Metric]:
        """Every family, once."""
        worker, tally = self._served.worker, self._served.worker.tally
        work, counters = self._served.engine.work, self._served.session.counters
        load, sequences = worker.load, len(self._served.session.positions)
        for name, value in tally.tokens().items():
            yield CounterMetricFamily(f"tritloom_{name}_tokens", f"{name} tokens", value=value)
        yield CounterMetricFamily("tritloom_refused", "requests refused for want of room", value=tally.refused)
        requests = CounterMetricFamily("tritloom_requests", "requests that ended, by why", labels=["finish"])
        for finish, count in tally.finished.items():
            requests.add_metric([finish], count)
        yield requests
        yield CounterMetricFamily("tritloom_decode_passes", "passes without rows of a prompt", value=work.passes)
        for name, seconds in (("prefill", work.prefill_s), ("decode", work.decode_s), ("choosing", work.choosing_s)):
            yield CounterMetricFamily(f"tritloom_{name}_seconds", f"wall time of {name}", value=seconds)
        yield GaugeMetricFamily("tritloom_requests_running", "on a sequence", value=min(load, sequences))
        yield GaugeMetricFamily("tritloom_requests_waiting", "for a sequence", value=max(0, load - sequences))
        yield CounterMetricFamily("tritloom_device_cycles", "of the accelerator; 0 on the emulator",
                                  value=counters.cycles)
        busy = CounterMetricFamily("tritloom_busy_cycles", "in which an engine worked on a descriptor",
                                   labels=["engine"])
        for engine, cycles in (counters.busy or {}).items():
            busy.add_metric([engine.name.lower()], cycles)
        yield busy
        yield from self._energy()

    def _energy(self) -> Iterable[Metric]:
        """Nothing where no sensor measures it."""
        meter, speed = self._served.meter, self._served.worker.tally.speed()
        watts, joules = meter.watts, meter.joules
        if watts is None or joules is None:
            return
        yield GaugeMetricFamily("tritloom_watts", "power of the board", value=watts)
        yield CounterMetricFamily("tritloom_joules", "energy of the board since the start", value=joules)
        if speed:
            yield GaugeMetricFamily("tritloom_joules_per_token", "at the power and speed of now", value=watts / speed)
