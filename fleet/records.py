"""What is known of hosts and slots: plain frozen values. Asks nobody and decides nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from fleet.names import tag_of

HOST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")  # an instance id, or whatever a lab calls its hosts
MOST_SLOTS = 128  # of one host: its record must stay small, and one update names as many claims
MOST_MODELS = 24  # told of one host, the last used first
CONFIRMED = 0  # a claim's value in the record once its owner has it; before, the Unix time in ms when it was made


class HostState(StrEnum):
    """What a host says of itself. Only `SERVING` hosts get viewers."""

    SERVING = "serving"
    DRAINING = "draining"  # viewers are being sent away
    LEAVING = "leaving"  # nobody is left; the host ends


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a host answers the other hosts' HTTP: an address literal, never a name, so nothing is looked up."""

    address: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """From `10.0.1.2:8080` or `[fd00::2]:8080`. ValueError for anything but a private unicast address and a port.

        Link-local addresses are refused: instance metadata lives on one.
        """
        found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):([0-9]{1,5})", text)
        if found is None:
            raise ValueError(f"{text!r} is not ADDRESS:PORT")
        address, port = ipaddress.ip_address(found[1] or found[2]), int(found[3])
        wrong = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
        if wrong or not (address.is_private or address in _SHARED):
            raise ValueError(f"{text!r}: only private addresses are hosts")
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: ports are 1 to 65535")
        return cls(str(address), port)

    @property
    def is_loopback(self) -> bool:
        """Whether it means the machine that asks."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


_SHARED = ipaddress.ip_network("100.64.0.0/10")  # VPCs may use it; Python does not call it private


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a host is, for as long as it runs. boot: unguessable, one for each registration of the id."""

    id: str
    endpoint: Endpoint
    group: str
    zone: str
    boot: str
    slots: int

    def __post_init__(self) -> None:
        if not HOST_ID.fullmatch(self.id):
            raise ValueError(f"host id {self.id!r}: 1 to 64 letters, digits and hyphens are allowed")
        if not 1 <= self.slots <= MOST_SLOTS:
            raise ValueError(f"{self.slots} slots: allowed are 1 to {MOST_SLOTS}")


@dataclass(frozen=True, slots=True)
class Report:
    """What a host says of itself with each beat; its own word is the truth.

    claims: of all sessions that it has or is just opening. unclaimed: sessions that came without a claim. room: viewers
    that it would carry now, never more than its slots. models: loaded, the last used first. advised: the cloud
    recommended to leave this host (Spot rebalance); it serves on, but new viewers go elsewhere while they can. queue:
    who waits in this host's line.
    """

    claims: frozenset[str] = frozenset()
    unclaimed: int = 0
    room: int = 0
    models: tuple[str, ...] = ()
    state: HostState = HostState.SERVING
    advised: bool = False
    queue: int = 0

    def claimable(self, slots: int) -> int:
        """Claims that may exist on this host, which has so many slots."""
        return max(0, min(slots, self.room) - self.unclaimed)


@dataclass(frozen=True, slots=True)
class HostRecord:
    """A host as the table has it. beat: Unix time, seconds, by the host's own clock.

    room: claims that may exist on it, after what came without one. claims: by name; see `CONFIRMED`.
    """

    identity: Identity
    state: HostState
    beat: float
    room: int
    claims: Mapping[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    advised: bool = False
    queue: int = 0

    @property
    def id(self) -> str:
        """The host's id."""
        return self.identity.id

    @property
    def tag(self) -> str:
        """What its sessions' names carry."""
        return tag_of(self.id)

    @property
    def free(self) -> int:
        """Claims that could still be made."""
        return max(0, self.room - len(self.claims)) if self.state is HostState.SERVING else 0

    def without(self, claim: str) -> HostRecord:
        """The same, had this claim not been made."""
        return replace(self, claims={name: made for name, made in self.claims.items() if name != claim})

    @property
    def load(self) -> float:
        """Share of its room that is taken, 0 to 1."""
        return min(1.0, len(self.claims) / self.room) if self.room else 1.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the hosts that serve have together. room: viewers they would carry; used: claims; free: room for more."""

    hosts: int
    slots: int
    room: int
    used: int
    free: int

    @classmethod
    def of(cls, records: Iterable[HostRecord]) -> Capacity:
        """Of those among `records` that serve."""
        serving = [record for record in records if record.state is HostState.SERVING]
        return cls(
            hosts=len(serving),
            slots=sum(record.identity.slots for record in serving),
            room=sum(record.room for record in serving),
            used=sum(len(record.claims) for record in serving),
            free=sum(record.free for record in serving),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a viewer goes. claim: the slot's name, "" when the table could not be asked and this host takes it.

    is_local: this host itself.
    """

    host: HostRecord
    claim: str
    is_local: bool
