"""A packet on its way out, as packetiser, pacer, wire and history hand it on."""

from __future__ import annotations

from typing import NamedTuple

BATCH = 32  # packets that leave together, at most


class Outgoing(NamedTuple):
    """A packet to send. kind: marker and payload type; original: sequence number it repeats, -1 if it is new."""

    kind: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    original: int = -1
