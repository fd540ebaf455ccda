"""What a host is told about its fleet. Reads no environment: whoever starts the host does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from fleet.errors import SettingsError
from fleet.records import Endpoint, Identity


@dataclass(frozen=True, slots=True)
class Settings:
    """table: DynamoDB's name. region: "" = what boto3 finds. endpoint: of an emulator, "" = AWS. host: this host's id.

    address: `ADDRESS:PORT` at which other hosts reach this one; private. group: the Auto Scaling group, "" = none.
    zone: the availability zone. slots: viewers that this host may have.
    """

    table: str
    host: str
    address: str
    slots: int
    group: str = ""
    zone: str = ""
    region: str = ""
    endpoint: str = ""

    def identity(self) -> Identity:
        """Who this host is, from now on. Raises SettingsError."""
        try:
            endpoint = Endpoint.parse(self.address)
            return Identity(self.host, endpoint, self.group, self.zone, secrets.token_hex(8), self.slots)
        except ValueError as error:
            raise SettingsError(str(error)) from error
