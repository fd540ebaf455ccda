"""What was sent and may be asked for again: bounded in packets, bytes and time, and in what repeating it may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

PACKETS = 1024  # kept at most, per viewer
BYTES = 1 << 20  # of payload kept at most, per viewer: a second at 8 Mb/s
KEEP_SECONDS = 5.0  # after the last picture the whole history is forgotten: players give up earlier

PATIENCE = 0.8  # of a round trip, before the same packet is sent again
FIRST_RTT = 0.1  # seconds, until one has been measured
SHORTEST, LONGEST = 0.01, 0.5  # seconds between two repetitions of one packet, whatever the round trip
SHARE = 0.5  # of the target bitrate that repetitions may take on average
LEAST_RATE = 32_000.0  # bytes a second that they may always take
BURST = 128 << 10  # bytes of repetitions at once: a large key frame's loss at 30 %


@dataclass(slots=True, eq=False)
class Sent:
    """A packet as it was sent. kind: marker and payload type. repeated: seconds, when last.

    payload: the RTP payload, or the whole encrypted datagram when no retransmission stream was negotiated: then the
    same bytes must go out again, for another header under the same number would break AES-GCM.
    """

    sequence: int
    timestamp: int
    kind: int
    payload: bytes
    repeated: float = -math.inf


class History:
    """The newest packets of one stream by sequence number, which rises from packet to packet."""

    def __init__(self) -> None:
        self._slots: list[Sent | None] = [None] * PACKETS
        self._oldest = self._newest = 0  # sequence numbers of the first and the last that are kept
        self.octets = 0

    def put(self, sent: Sent) -> None:
        """Remember a packet; what no longer fits is forgotten, oldest first."""
        if not self.octets:
            self._oldest = sent.sequence
        self._drop(sent.sequence)
        self._slots[sent.sequence % PACKETS] = sent
        self._newest = sent.sequence
        self.octets += len(sent.payload)
        while self.octets > BYTES:
            self._drop(self._oldest)
            self._oldest = self._oldest + 1 & 0xFFFF

    def find(self, sequence: int) -> Sent | None:
        """The packet with this number, unless it is forgotten or was never sent."""
        sent = self._slots[sequence % PACKETS]
        return sent if sent is not None and sent.sequence == sequence else None

    def newest(self, octets: int) -> list[Sent]:
        """The last packets, newest first, that together have at least so many bytes; fewer when no more are kept."""
        chosen: list[Sent] = []
        for back in range(PACKETS):
            sent = self.find(self._newest - back & 0xFFFF)
            if sent is None or octets <= 0:
                break
            chosen.append(sent)
            octets -= len(sent.payload)
        return chosen

    def clear(self) -> None:
        """Forget all."""
        self._slots = [None] * PACKETS
        self.octets = 0

    def _drop(self, sequence: int) -> None:
        """Empty the slot of this number, whatever it holds."""
        sent = self._slots[sequence % PACKETS]
        if sent is not None:
            self._slots[sequence % PACKETS] = None
            self.octets -= len(sent.payload)


class Repetition:
    """Decides which requests are answered: once a round trip each, and within a budget of bytes."""

    def __init__(self) -> None:
        self._rtt = FIRST_RTT
        self._tokens = float(BURST)
        self._at = -math.inf

    def measured(self, rtt: float) -> None:
        """A round trip, in seconds."""
        self._rtt += (rtt - self._rtt) / 4

    @property
    def pause(self) -> float:
        """Seconds that must pass before the same packet is sent again."""
        return min(LONGEST, max(SHORTEST, PATIENCE * self._rtt))

    def allows(self, sent: Sent, now: float, target: float) -> bool:
        """Whether to send it again, which then counts as done. target: bits a second that the stream aims at."""
        rate = max(LEAST_RATE, SHARE * target / 8)
        self._tokens = min(BURST, self._tokens + (now - self._at) * rate) if self._at > -math.inf else BURST
        self._at = now
        if now - sent.repeated < self.pause or self._tokens < len(sent.payload):
            return False
        self._tokens -= len(sent.payload)
        sent.repeated = now
        return True
