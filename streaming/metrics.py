"""Numbers about each process, gathered only when somebody asks; merged by the gateway into one Prometheus page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streaming.tallies import Spread, Tally

_KILOBITS = (100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000)
_PERCENT = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 50)
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_LOADING = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)  # seconds
_MILLISECONDS = (1, 2, 3, 5, 8, 12, 16, 24, 33, 50, 80, 120, 200, 500, 1000)

Snapshot = list[dict[str, Any]]


class RenderMetrics:
    """Of the render process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.sessions = Gauge("vitrine_sessions", "Viewers connected now.", registry=registry)
        self.moving = Gauge("vitrine_moving_sessions", "Viewers that moved in the last second.", registry=registry)
        self.busy = Gauge(
            "vitrine_busy_share", "Share of its threads' time that moving pictures take.", ["stage"], registry=registry
        )
        self.late = Gauge("vitrine_late_share", "Share of moving pictures that began too late.", registry=registry)
        self.models = Gauge("vitrine_models_loaded", "Models on the device.", registry=registry)
        self.model_bytes = Gauge("vitrine_model_bytes", "Bytes of models on the device.", registry=registry)
        self.decoded = Histogram(
            "vitrine_model_decode_seconds", "Reading one model file.", registry=registry, buckets=_LOADING
        )
        self.uploaded = Histogram(
            "vitrine_model_upload_seconds",
            "Bringing one to the device, waiting for the render thread included.",
            registry=registry,
            buckets=_LOADING,
        )
        self.undecoded = Counter("vitrine_model_failures", "Models not loaded.", ["code"], registry=registry)
        self.objects = Gauge("vitrine_device_objects", "Objects that live on the device.", registry=registry)
        self.device = Gauge("vitrine_device_bytes", "Bytes of all of them.", registry=registry)
        self.frames = Counter("vitrine_frames_rendered", "Pictures drawn.", ["kind"], registry=registry)
        self.render = Histogram(
            "vitrine_render_milliseconds", "From begin to pixels.", registry=registry, buckets=_MILLISECONDS
        )
        self.encoded = Counter("vitrine_frames_encoded", "Pictures encoded.", registry=registry)
        self.encode = Histogram(
            "vitrine_encode_milliseconds", "Encoding one picture.", registry=registry, buckets=_MILLISECONDS
        )
        self.target = Histogram(
            "vitrine_target_kilobits",
            "Bitrate aimed at, a second, at each picture.",
            registry=registry,
            buckets=_KILOBITS,
        )
        self.keys = Counter("vitrine_keyframes", "Key frames among them.", registry=registry)
        self.bytes = Counter("vitrine_encoded_bytes", "Bytes that came out of the encoders.", registry=registry)
        self.failures = Counter("vitrine_session_failures", "Sessions ended by a fault.", registry=registry)


class NetworkMetrics:
    """Of one network process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.peers = Gauge("vitrine_peers", "Peer connections open now.", registry=registry)
        self.answer = Spread(
            "vitrine_input_to_send_milliseconds",
            "From a camera message's arrival to the last packet of the first picture that shows it or a newer one.",
            registry,
            _MILLISECONDS,
        )
        self.pacing = Spread(
            "vitrine_pacing_milliseconds",
            "From a picture's arrival to its last packet's departure: 0 but for large ones, which are spread.",
            registry,
            _MILLISECONDS,
        )
        self.packets = Tally("vitrine_rtp_packets", "RTP packets sent.", registry)
        self.bytes = Tally("vitrine_rtp_bytes", "RTP payload bytes sent.", registry)
        self.retransmitted = Tally("vitrine_rtp_retransmitted", "RTP packets sent again.", registry)
        self.path = Histogram(
            "vitrine_path_kilobits",
            "What paths to viewers are believed to carry, a second; once a second while pictures are sent.",
            registry=registry,
            buckets=_KILOBITS,
        )
        self.loss = Histogram("vitrine_path_loss_percent", "Packets lost on them.", registry=registry, buckets=_PERCENT)
        self.round_trip = Histogram(
            "vitrine_path_round_trip_milliseconds", "There and back.", registry=registry, buckets=_MILLISECONDS
        )
        self.queue = Histogram(
            "vitrine_path_queue_milliseconds", "Waiting in their queues.", registry=registry, buckets=_MILLISECONDS
        )
        self.refused = Counter("vitrine_messages_refused", "Control messages refused.", ["code"], registry=registry)
        self.freezes = Counter("vitrine_viewer_freezes", "Freezes that viewers report.", registry=registry)
        self.frozen = Counter("vitrine_viewer_frozen_seconds", "How long they lasted in all.", registry=registry)


class StoreMetrics:
    """Of the gateway: models on their way from the store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fetches = Counter("vitrine_store_fetches", "Files asked for, by origin.", ["source"], registry=registry)
        self.fetched = Counter("vitrine_store_fetched_bytes", "Bytes that came from the store.", registry=registry)
        self.seconds = Histogram(
            "vitrine_store_fetch_seconds", "Fetching one file.", registry=registry, buckets=_LOADING
        )
        self.failures = Counter("vitrine_store_failures", "What the store failed at.", ["code"], registry=registry)
        self.fresh = Gauge(
            "vitrine_store_fresh_timestamp_seconds", "When it was last looked for news.", registry=registry
        )
        self.prepared = Counter(
            "vitrine_models_prepared", "Models made ready to be shown.", ["part", "outcome"], registry=registry
        )
        self.exchanged = Counter("vitrine_previews_exchanged", "Sessions whose model became whole.", registry=registry)


class GatewayMetrics:
    """Of the gateway."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.store = StoreMetrics(registry)
        self.restarts = Counter("vitrine_restarts", "Child processes started again.", ["role"], registry=registry)
        self.stills = Counter("vitrine_stills", "Stills answered.", ["source"], registry=registry)
        self.denied = Counter("vitrine_access_refused", "Requests without the right.", ["code"], registry=registry)
        self.capacity = Gauge(
            "vitrine_admission_capacity", "Viewers the host would carry as they are now.", registry=registry
        )
        self.free = Gauge("vitrine_admission_free", "More viewers that would be let in now.", registry=registry)
        self.busy = Gauge(
            "vitrine_admission_busy", "Smoothed shares that decide, from 0 to 1.", ["resource"], registry=registry
        )
        self.full = Counter("vitrine_admission_refused", "Viewers not let in.", ["reason"], registry=registry)
        self.waiting = Gauge("vitrine_queue_length", "Viewers that wait for a place.", registry=registry)
        self.waited = Histogram(
            "vitrine_queue_seconds", "How long those waited who were let in.", registry=registry, buckets=_SECONDS
        )
        self.strayed = Counter("vitrine_queue_lost", "Tickets that were not renewed in time.", registry=registry)
        self.watchers = Gauge("vitrine_watchers", "Who watches another's session now.", registry=registry)
        self.requests = Counter("vitrine_http_requests", "HTTP requests answered.", ["status"], registry=registry)


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """A registry's values as JSON."""
    return [
        {
            "name": metric.name,
            "documentation": metric.documentation,
            "type": metric.type,
            "samples": [[s.name, dict(s.labels), s.value] for s in metric.samples if not s.name.endswith("_created")],
        }
        for metric in registry.collect()
    ]


class _Merged(Collector):
    def __init__(self, parts: Sequence[tuple[Mapping[str, str], Snapshot]]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        metrics: dict[str, Metric] = {}
        for labels, part in self._parts:
            for family in part:
                name = family["name"]
                if name not in metrics:
                    metrics[name] = Metric(name, family["documentation"], family["type"])
                for sample, own, value in family["samples"]:
                    metrics[name].add_sample(sample, {**own, **labels}, value)
        yield from metrics.values()


def expose(parts: Iterable[tuple[Mapping[str, str], Snapshot]]) -> bytes:
    """Prometheus text of several processes. parts: labels that tell a process from its siblings, and its snapshot."""
    registry = CollectorRegistry()
    registry.register(_Merged(list(parts)))
    return generate_latest(registry)
