"""Figures of a server, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters and histograms of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests by route and status.", ("route", "status"))
        self.seconds = Histogram(
            "harness_request_seconds",
            "Seconds from a request's acceptance to its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch = Histogram(
            "harness_batch_clips", "Clips of a call of the model.", buckets=SIZES, registry=self.registry
        )
        self.model_seconds = Histogram(
            "harness_model_seconds", "Seconds of a call of the model.", buckets=SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("harness_requests_in_flight", "Requests accepted, not answered.", registry=self.registry)
        self.queue = Gauge("harness_queue_clips", "Clips that wait for the model.", registry=self.registry)
        self.ready = Gauge("harness_ready", "1 while the server takes requests.", registry=self.registry)
        self.answers = self._counter("answers", "Answers by their source.", ("source",))
        self.decode_failures = self._counter("decode_failures", "Clips that could not be decoded.")
        self.decoders_ended = self._counter("decoders_ended", "Decoding processes that died or were ended.")
        self.model_failures = self._counter("model_failures", "Clips on which the model failed.")
        self.gone = self._counter("clients_gone", "Requests whose client left before the answer.")
        for source in ("model", "repaired", "fallback"):
            self.answers.labels(source)

    def _counter(self, name: str, help: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"harness_{name}", help, labels, registry=self.registry)

    def text(self) -> bytes:
        """Return all figures in the text format."""
        return generate_latest(self.registry)
