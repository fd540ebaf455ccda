"""What a host tells of itself by periods: true statistics, nothing invented, nothing without bound."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace

import pytest
from botocore.stub import Stubber

from fleet.cloudwatch import CloudWatch
from fleet.errors import RefusedError, UnavailableError
from fleet.metrics import NAMESPACE, PERIODS_MOST, Datum, GpuLoad, Publisher, Reading
from fleet.nvml import Gpu
from tests.fleet.hosts import Clock


class Sink:
    """Keeps what it gets; `error` is raised instead."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.got: list[list[Datum]] = []

    def put(self, data: Sequence[Datum]) -> None:
        if self.error is not None:
            raise self.error
        self.got.append(list(data))


def pass_periods(publisher: Publisher, clock: Clock, periods: int, *readings: Reading) -> None:
    """`readings` in turn, one a second; what is complete is sent."""
    for second in range(10 * periods + 1):
        if publisher.observe(readings[second % len(readings)]):
            publisher.send()
        clock.sleep(1.0)


def test_counts_are_one_value_and_percentages_are_statistics() -> None:
    sink, clock = Sink(), Clock()
    quiet = Reading(8, 2, 0, 3, load=GpuLoad(gpu=20.0, memory=50.0))
    busy = Reading(8, 6, 1, 7, load=GpuLoad(gpu=80.0, memory=50.0))
    pass_periods(Publisher(sink, clock), clock, 1, quiet, busy)
    found = {datum.name: (datum.samples, datum.total, datum.least, datum.most) for datum in sink.got[0]}
    assert found == {
        "Slots": (1, 8, 8, 8),
        "UsedSlots": (1, 6, 6, 6),
        "FreeSlots": (1, 2, 2, 2),
        "QueueDepth": (1, 1, 1, 1),
        "Sessions": (1, 7, 7, 7),
        "OccupancyPercent": (10, 500.0, 25.0, 75.0),
        "GpuPercent": (10, 500.0, 20.0, 80.0),
        "GpuMemoryPercent": (10, 500.0, 50.0, 50.0),
    }
    assert {datum.at for datum in sink.got[0]} == {1_700_000_000}


def test_a_draining_host_offers_no_slots() -> None:
    sink, clock = Sink(), Clock()
    pass_periods(Publisher(sink, clock), clock, 1, Reading(8, 2, 0, 2, serving=False))
    assert {datum.name for datum in sink.got[0]} == {"QueueDepth", "Sessions"}


def test_an_unreachable_sink_costs_bounded_memory_and_no_order() -> None:
    sink, clock = Sink(), Clock()
    publisher = Publisher(sink, clock)
    sink.error = UnavailableError("no route")
    pass_periods(publisher, clock, PERIODS_MOST + 5, Reading(8, 2, 0, 2))
    sink.error = None
    publisher.send()
    times = [data[0].at for data in sink.got]
    assert len(times) == PERIODS_MOST
    assert times == sorted(times)
    assert times[0] == 1_700_000_000 + 5 * 10  # the oldest were given up


def test_what_is_refused_does_not_stop_the_rest() -> None:
    sink, clock = Sink(), Clock()
    publisher = Publisher(sink, clock)
    sink.error = RefusedError("AccessDenied")
    pass_periods(publisher, clock, 2, Reading(8, 2, 0, 2))
    sink.error = None
    clock.sleep(10.0)
    publisher.observe(Reading(8, 2, 0, 2))
    publisher.send()
    assert len(sink.got) == 1


def test_cloudwatch_gets_the_documented_request(credentials: None) -> None:
    cloudwatch = CloudWatch("render-base", "eu-central-1")
    datum = Datum("OccupancyPercent", "Percent", 1_700_000_000, 10, 500.0, 25.0, 75.0)
    asked: list[dict[str, object]] = []
    with Stubber(cloudwatch._client) as aws:
        aws.add_response("put_metric_data", {})
        aws.add_client_error("put_metric_data", "Throttling", http_status_code=400)
        aws.add_client_error("put_metric_data", "InvalidParameterValue", http_status_code=400)
        cloudwatch._client.meta.events.register(
            "provide-client-params.cloudwatch.PutMetricData", lambda params, **_: asked.append(params)
        )
        cloudwatch.put([datum])
        with pytest.raises(UnavailableError):
            cloudwatch.put([datum])
        with pytest.raises(RefusedError):
            cloudwatch.put([datum])
    [shaped] = asked[0]["MetricData"]  # type: ignore[misc]
    assert asked[0]["Namespace"] == NAMESPACE
    assert shaped["Dimensions"] == [{"Name": "GroupName", "Value": "render-base"}]
    assert shaped["StorageResolution"] == 1
    assert shaped["StatisticValues"] == {"SampleCount": 10, "Sum": 500.0, "Minimum": 25.0, "Maximum": 75.0}


class NvmlError(Exception):
    """As pynvml's."""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A driver with a GPU that has no encoder."""
    fake = ModuleType("pynvml")

    def refuse(_: object) -> None:
        raise NvmlError("Not Supported")

    told = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: setattr(fake, "ended", True),
        "nvmlDeviceGetHandleByIndex": lambda index: refuse(index) if index else "gpu-0",
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=37, memory=4),
        "nvmlDeviceGetEncoderUtilization": refuse,
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=6 << 30, total=24 << 30),
    }
    for name, value in told.items():
        setattr(fake, name, value)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    yield fake
    assert fake.ended


def test_what_a_gpu_does_not_have_is_not_zero(nvml: ModuleType) -> None:
    gpu = Gpu.open()
    assert gpu is not None
    with gpu:
        assert gpu.read() == GpuLoad(37.0, None, 25.0)
    assert Gpu.open(3) is None


def test_no_binding_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Gpu.open() is None
