"""What a gateway has in a fleet, made of its settings: names with the host's tag, the front door, the membership.

Reads no table itself and opens no session; without `fleet_table` nothing of it exists.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry

from fleet.errors import RefusedError, SettingsError
from fleet.keeper import Keeper, Limits
from fleet.lifecycle import Lifecycle
from fleet.names import tagged
from fleet.records import MOST_SLOTS
from fleet.service import open_fleet
from fleet.settings import Settings
from streaming.config import Config
from streaming.errors import StartError
from streaming.gate import Gate
from streaming.hosts.front import Front
from streaming.hosts.membership import Membership
from streaming.hosts.metrics import FleetMetrics
from streaming.hosts.passing import Passing
from streaming.hosts.signing import Signer, note
from streaming.hosts.telling import Telling
from streaming.lobby import Lobby
from streaming.sessions import Sessions, new_name
from streaming.whep import Whep

TICKET_BYTES = 12
TERMINATING_HOOK = "terminate"  # as cloudformation names it
logger = logging.getLogger(__name__)


class Company:
    """Use `open` before anything is answered, `start` when this host is ready for viewers."""

    front: Front
    membership: Membership

    def __init__(self, config: Config) -> None:
        """Raises ConfigError."""
        self._config = config
        self.host = config.fleet_host or socket.gethostname().partition(".")[0]
        self._signer = Signer(config.fleet_key_file, self.host)
        self._passing = Passing(self._signer)
        self._telling: Telling | None = None

    def new_name(self) -> str:
        """Of a session here."""
        return tagged(new_name(), self.host)

    def new_ticket(self) -> str:
        """Of this host's line."""
        return tagged(secrets.token_urlsafe(TICKET_BYTES), self.host)

    def open(
        self,
        whep: Whep,
        sessions: Sessions,
        gate: Gate,
        lobby: Lobby,
        registry: CollectorRegistry,
        leave: Callable[[float], Awaitable[None]],
    ) -> None:
        """With the gateway's parts. leave: sends its viewers away."""
        config = self._config
        slots = min(config.fleet_slots or config.max_sessions, config.max_sessions, MOST_SLOTS)
        self.membership = Membership(self.host, slots, sessions, lobby, FleetMetrics(registry), leave)
        self.front = Front(whep, sessions, gate, lobby, self.membership, self._passing)

    async def start(self, port: int) -> None:
        """Join the fleet. port: of this host's HTTP. Raises StartError for settings that cannot be."""
        config = self._config
        settings = Settings(
            table=config.fleet_table,
            host=self.host,
            address=config.fleet_address or f"{_own_address()}:{port}",
            slots=self.membership.slots,
            group=config.fleet_group,
            region=config.fleet_region,
            endpoint=config.fleet_endpoint,
        )
        limits = Limits(drain=config.drain_seconds, hook=TERMINATING_HOOK if config.fleet_group else "")
        try:
            fleet = open_fleet(settings, self.membership.report)
            await self.membership.start(fleet, Keeper(_lifecycle(config), limits))
        except (SettingsError, RefusedError) as error:  # a table that is not there, or may not be used
            raise StartError(f"fleet: {error}") from error
        if config.fleet_group:
            self._telling = Telling(config.fleet_group, config.fleet_region, self.membership.reading)
            self._telling.start()
        logger.info("this host is %s of the fleet %s, at %s", self.host, config.fleet_table, settings.address)

    async def close(self) -> None:
        """Leave it."""
        if self._telling is not None:
            await self._telling.close()
        await self.membership.close()
        await self._passing.close()

    def read(self, request: web.Request) -> None:
        """What a request says of its way; for each, before it is answered. Raises SignallingError for a lie."""
        hop = self._signer.read(request.method, request.path_qs, request.headers)
        if hop is not None:
            note(request, hop)


def _own_address() -> str:
    """The address of this host that it uses towards other networks; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of a range for documentation
        return str(probe.getsockname()[0])


def _lifecycle(config: Config) -> Lifecycle | None:
    """What the cloud announces to this host; None where nobody scales it. Raises SettingsError."""
    if not (config.fleet_group and config.fleet_metadata):
        return None
    from fleet.aws import AwsLifecycle

    return AwsLifecycle(config.fleet_group, config.fleet_region, config.fleet_metadata)
