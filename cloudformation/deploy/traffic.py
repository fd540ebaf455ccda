"""What viewers cost on top of what stands: from sessions to GPU hours, gigabytes and calls. Knows no templates.

Every assumption is a field with its unit and where it comes from; the command prints them, and options replace the ones
that matter most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloudformation.deploy.fixed import HOURS, Item
from cloudformation.deploy.fleets import Group
from cloudformation.deploy.prices import Prices

TRAFFIC = "traffic"  # stands in the place of a stack's name
MAX_SESSIONS = 10_000_000_000
_TIERS = ((10_000.0, "egress_1"), (40_000.0, "egress_2"), (100_000.0, "egress_3"), (math.inf, "egress_4"))  # GB a month
_FREE_CDN_GIGABYTES, _FREE_CDN_REQUESTS = 1000.0, 10_000_000.0  # a month


@dataclass(frozen=True)
class Level:
    """How many come. sessions: a month; peak: viewers at the busiest moment ÷ the month's mean."""

    name: str
    sessions: float
    peak: float

    def __post_init__(self) -> None:
        if not 0 < self.sessions <= MAX_SESSIONS:
            raise ValueError(
                f"{self.sessions:g} sessions a month; more than 0 and at most {MAX_SESSIONS:g} are allowed"
            )


LEVELS = (
    Level("low", 20_000, 8.0),
    Level("medium", 300_000, 6.0),
    Level(
        "sale", 3_000_000, 12.0
    ),  # a month with a sale: three times the days' mean, 1.7 within the day, 2.4 for the drop
)


@dataclass(frozen=True)
class Assumptions:
    """What one viewer does and what a host carries."""

    slots: float = 8.0  # viewers of one GPU host; no A10G was measured: this is what the templates offer
    utilisation: float = 0.54  # slots in use ÷ slots paid for beyond the base: the fleet's simulation
    spot_share: float = 0.5  # of the host hours beyond the base
    busy_hours: float = 60.0  # a month near the busiest moment: two a day; assumed
    session_seconds: float = 95.0  # mean visit with a 3D view: published B2C means are about 92 s
    moving_share: float = 1 / 3  # of the time a hand is on the product: 2 s of dragging, 4 s of looking
    megabits: float = 1.7  # a second while it moves: an armchair at 720p, measured (docs/encoding.md)
    rest_kilobytes: float = 100.0  # of the refined still after each drag; then nothing is sent (docs/benchmarks.md)
    drag_seconds: float = 2.0  # of one drag; how often a still follows
    relayed_share: float = 0.05  # of viewers who need TURN; assumed
    page_megabytes: float = 1.0  # viewer, poster and spin from the CDN for a session; assumed
    page_requests: float = 25.0  # to the CDN and the web ACLs in a session; assumed
    signalling_megabytes: float = 0.05  # through the load balancer in a session
    table_writes: float = 12.0  # units in a session: claim, confirm, release, cart and session items; assumed
    table_reads: float = 20.0  # units in a session; assumed
    beat_writes: float = 3600 / 2 * 2  # units a host writes in an hour: a beat every two seconds, two units each
    metric_calls: float = 360.0  # a host makes in an hour: every 10 s
    log_kilobytes: float = 6.0  # of a session, all services together; assumed
    api_calls: float = 5.0  # of the shop's HTTP API in a session; assumed
    models: float = 500.0  # published a month; assumed
    model_gigabyte_seconds: float = 8 * 60.0  # of the ingest function for one model
    stored_gigabytes: float = 200.0  # of models, pictures and their old versions
    volume_gigabytes: float = 0.0  # of a host's disk: the templates'


@dataclass(frozen=True)
class Fleet:
    """What the templates let the fleet be. least, most: hosts; kind: the instance type that is asked for first."""

    kind: str
    least: int
    most: int
    volume: float

    @classmethod
    def of(cls, groups: list[Group]) -> Fleet:
        """The GPU groups together; the On-Demand group names the type."""
        base = next((group for group in groups if not group.spot), groups[0])
        kind = base.types[0] if base.types else ""
        return cls(kind, sum(g.least for g in groups), sum(g.most for g in groups), base.gibibytes)


@dataclass(frozen=True)
class Demand:
    """A month's amounts. extra: host hours beyond those that always run; peak: hosts at the busiest moment."""

    viewer_hours: float
    extra: float
    peak: int
    gigabytes: float


def gigabytes_per_hour(given: Assumptions) -> float:
    """What an hour of one viewer sends: moving pictures, and a still after each drag. Decimal gigabytes."""
    moving = 3600 * given.moving_share
    stills = moving / given.drag_seconds * given.rest_kilobytes / 1e6
    return moving * given.megabits / 8 / 1000 + stills


def demand(level: Level, fleet: Fleet, given: Assumptions) -> Demand:
    """What a level of traffic asks of the fleet: by its mean, or, where the base carries that, by its busy hours."""
    viewer_hours = level.sessions * given.session_seconds / 3600
    hosts = viewer_hours / (given.slots * given.utilisation) - fleet.least * HOURS
    peak = math.ceil(viewer_hours / HOURS * level.peak / given.slots)
    return Demand(
        viewer_hours=viewer_hours,
        extra=max(0.0, hosts, (peak - fleet.least) * given.busy_hours),
        peak=peak,
        gigabytes=viewer_hours * gigabytes_per_hour(given),
    )


def tiered(gigabytes: float, prices: Prices) -> Iterator[tuple[float, float]]:
    """Internet egress of a month by AWS's tiers: gigabytes and their price."""
    for size, price in _TIERS:
        part = min(gigabytes, size)
        if part <= 0:
            return
        yield part, prices.usd(price)
        gigabytes -= part


def charges(level: Level, fleet: Fleet, prices: Prices, given: Assumptions) -> list[Item]:
    """A month's charges that follow from traffic."""
    wanted = demand(level, fleet, given)
    return [
        *_hosts(wanted, fleet, prices, given),
        *_bytes(level, wanted, prices, given),
        *_calls(level, wanted, fleet, prices, given),
    ]


def _hosts(wanted: Demand, fleet: Fleet, prices: Prices, given: Assumptions) -> Iterator[Item]:
    spot = wanted.extra * given.spot_share
    on_demand = prices.entry("instances", fleet.kind, "usd")
    yield _item("GPU", f"{fleet.kind} On-Demand beyond the base", wanted.extra - spot, "hour", on_demand)
    yield _item("GPU", f"{fleet.kind} Spot", spot, "hour", prices.entry("instances", fleet.kind, "spot"))
    volume = wanted.extra / HOURS * (given.volume_gigabytes or fleet.volume)
    yield _item("GPU", "volumes", volume, "GB-month", prices.usd("volume_gp3"))
    yield _item("network", "public addresses", wanted.extra, "hour", prices.usd("public_ipv4"))


def _bytes(level: Level, wanted: Demand, prices: Prices, given: Assumptions) -> Iterator[Item]:
    for part, usd in tiered(wanted.gigabytes, prices):
        yield _item("egress", f"pictures at {usd} $", part, "GB", usd)
    relayed = wanted.gigabytes * given.relayed_share
    yield _item("egress", "between zones to relays", relayed, "GB", prices.usd("between_zones"))
    pages = level.sessions * given.page_megabytes / 1000
    yield _item(
        "CDN", "pages, pictures, models", max(0.0, pages - _FREE_CDN_GIGABYTES), "GB", prices.usd("cdn_gigabyte")
    )
    requests = max(0.0, level.sessions * given.page_requests - _FREE_CDN_REQUESTS) / 1e4
    yield _item("CDN", "requests", requests, "10 000", prices.usd("cdn_requests"))
    yield _item("storage", "models and pictures", given.stored_gigabytes, "GB-month", prices.usd("object_storage"))


def _calls(level: Level, wanted: Demand, fleet: Fleet, prices: Prices, given: Assumptions) -> Iterator[Item]:
    sessions, hosts = level.sessions, wanted.extra + fleet.least * HOURS
    units = max(sessions * given.signalling_megabytes / 1000, wanted.viewer_hours / 3000)  # by bytes; by connections
    yield _item("load balancing", "signalling", units, "LCU-hour", prices.usd("load_balancer_unit"))
    acl = sessions * given.page_requests / 1e6
    yield _item("security", "web ACL requests", acl, "million", prices.usd("web_acl_requests"))
    writes = (sessions * given.table_writes + hosts * given.beat_writes) / 1e6
    yield _item("tables", "DynamoDB writes", writes, "million", prices.usd("table_writes"))
    reads = sessions * given.table_reads / 1e6
    yield _item("tables", "DynamoDB reads", reads, "million", prices.usd("table_reads"))
    calls = hosts * given.metric_calls / 1000
    yield _item("observability", "metric calls", calls, "1 000", prices.usd("metric_calls"))
    logs = sessions * given.log_kilobytes / 1e6
    yield _item("observability", "logs", logs, "GB", prices.usd("log_gigabyte"))
    api = sessions * given.api_calls / 1e6
    yield _item("commerce", "HTTP API", api, "million", prices.usd("http_api_calls"))
    yield _item("commerce", "function calls", api, "million", prices.usd("function_calls"))
    seconds = given.models * given.model_gigabyte_seconds
    yield _item("ingest", "function", seconds, "GB-second", prices.usd("function_gigabyte_second"))


def _item(category: str, what: str, quantity: float, unit: str, usd: float) -> Item:
    return Item(TRAFFIC, category, what, quantity, unit, usd)


@dataclass(frozen=True)
class Estimate:
    """One level of traffic, priced. by_category: standing charges included, US dollars a month."""

    level: Level
    wanted: Demand
    standing: float
    variable: float
    by_category: Mapping[str, float]

    @property
    def monthly(self) -> float:
        """US dollars, everything."""
        return self.standing + self.variable

    @property
    def viewer_hour(self) -> float:
        """US dollars for an hour of one viewer, everything included."""
        return self.monthly / self.wanted.viewer_hours

    @property
    def marginal_viewer_hour(self) -> float:
        """The same without what stands anyway."""
        return self.variable / self.wanted.viewer_hours

    @property
    def thousand_sessions(self) -> float:
        """US dollars for 1 000 sessions, everything included."""
        return self.monthly / self.level.sessions * 1000
