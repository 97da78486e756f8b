"""Counters for Prometheus: requests, turns, what waits, and how well requests are batched."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from instructerc.serving.desk import Desk
from instructerc.serving.sessions import Sessions

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counters of one server, in a registry of their own: two servers of one process do not mix."""

    def __init__(self, desk: Desk, sessions: Sessions) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "instructerc_requests", "Requests.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "instructerc_request_seconds", "Time to the answer.", ["route"], buckets=SECONDS, registry=self._registry
        )
        self._turns = Counter("instructerc_turns", "Turns recognised.", registry=self._registry)
        self._open = Gauge("instructerc_open_requests", "Requests that are not answered yet.", registry=self._registry)
        gauges = {
            "instructerc_waiting_turns": ("Turns that wait for the model.", lambda: desk.waiting_turns),
            "instructerc_sessions": ("Live conversations that are open.", lambda: len(sessions)),
            "instructerc_batches": ("Times that the model was asked.", lambda: desk.statistics.batches),
            "instructerc_batched_requests": ("Requests in them.", lambda: desk.statistics.requests),
        }
        for name, (text, value) in gauges.items():
            Gauge(name, text, registry=self._registry).set_function(value)

    def began(self) -> None:
        """Counts a request that came in."""
        self._open.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that was answered."""
        self._open.dec()
        method = method if method in METHODS else "other"  # each word would be a counter of its own for ever
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def turns(self, number: int) -> None:
        """Counts turns that were recognised."""
        self._turns.inc(number)

    def render(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
