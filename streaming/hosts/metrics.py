"""Numbers about this host's part in the fleet, for its `/metrics`. What scales the fleet is published elsewhere."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class FleetMetrics:
    """Of the gateway, in a fleet."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.hosts = Gauge("vitrine_fleet_hosts", "Hosts that serve, as this one knows.", registry=registry)
        self.free = Gauge("vitrine_fleet_free", "Slots that are free on them.", registry=registry)
        self.placed = Counter(
            "vitrine_fleet_placed",
            "Offers placed from here: here, passed on, or alone without the table.",
            ["where"],
            registry=registry,
        )
        self.passed = Counter("vitrine_fleet_passed", "Requests passed to other hosts.", ["reason"], registry=registry)
        self.lost = Counter("vitrine_fleet_hosts_lost", "Hosts that did not answer.", registry=registry)
        self.table = Gauge("vitrine_fleet_table_reachable", "Whether the table of places answers.", registry=registry)
        self.draining = Gauge("vitrine_fleet_draining", "Whether this host sends its viewers away.", registry=registry)
