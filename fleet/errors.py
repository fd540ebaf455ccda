"""Every error of the fleet, in one tree.

FleetError
├── SettingsError      a setting that cannot be
├── UnavailableError   the service did not answer, or refused for now; the same call may succeed later
├── FullError          no host has a free slot
├── ReplacedError      another process registered under this host's id; this one must stop
└── RefusedError       the service answered, and says no: asking again does not help
"""

from __future__ import annotations

from fleet.records import Capacity


class FleetError(Exception):
    """Base of all."""


class SettingsError(FleetError):
    """A setting that cannot be."""


class UnavailableError(FleetError):
    """A service did not answer in time, or throttled. What is already served goes on without it."""


class FullError(FleetError):
    """No host has a free slot. capacity: what the whole fleet has."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(f"all {capacity.room} places on {capacity.hosts} hosts are taken")
        self.capacity = capacity


class ReplacedError(FleetError):
    """Another process registered under the same host id after this one."""


class RefusedError(FleetError):
    """A service's final no."""
