"""What was sent and may be asked for again: bounded in packets and time, and in what repeating it may cost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from streaming.rtc.outgoing import Outgoing

PACKETS = 1024  # kept at most, per viewer: 1.2 MB of datagrams, more than a second at 8 Mb/s
KEEP_SECONDS = 5.0  # after the last picture the whole history is forgotten: players give up earlier

PATIENCE = 0.8  # of a round trip, before the same packet is sent again
FIRST_RTT = 0.1  # seconds, until one has been measured
SHORTEST, LONGEST = 0.01, 0.5  # seconds between two repetitions of one packet, whatever the round trip
SHARE = 0.5  # of the target bitrate that repetitions may take on average
LEAST_RATE = 8_000.0  # bytes a second that they may always take
BURST = 128 << 10  # bytes of repetitions at once: a large key frame's loss at 30 %...
BURST_SECONDS, LEAST_BURST = 0.25, 6 << 10  # ...but no more than so long of the target takes, or so many bytes


class History:
    """The newest packets of one stream by sequence number, which rises from packet to packet.

    A packet's payload is that of its RTP packet, or the whole encrypted datagram when no retransmission stream was
    negotiated: then the same bytes must go out again, for another header under the same number would break AES-GCM.
    """

    def __init__(self) -> None:
        self._slots: list[Outgoing | None] = [None] * PACKETS
        self._newest = 0  # sequence number

    def put(self, packets: Sequence[Outgoing]) -> None:
        """Remember packets that follow each other; each takes the place of that PACKETS before it."""
        if not packets:
            return
        first, self._newest = packets[0].sequence % PACKETS, packets[-1].sequence
        room = PACKETS - first
        self._slots[first : first + len(packets)] = packets[:room]
        self._slots[: len(packets[room:])] = packets[room:]

    def find(self, sequence: int) -> Outgoing | None:
        """The packet with this number, unless it is forgotten or was never sent."""
        packet = self._slots[sequence % PACKETS]
        return packet if packet is not None and packet.sequence == sequence else None

    def newest(self, octets: int) -> list[Outgoing]:
        """The last packets, newest first, that together have at least so many bytes; fewer when no more are kept."""
        chosen: list[Outgoing] = []
        for back in range(PACKETS):
            packet = self.find(self._newest - back & 0xFFFF)
            if packet is None or octets <= 0:
                break
            chosen.append(packet)
            octets -= len(packet.payload)
        return chosen

    def clear(self) -> None:
        """Forget all."""
        self._slots = [None] * PACKETS


class Repetition:
    """Decides which requests are answered: once a round trip each, and within a budget of bytes."""

    def __init__(self) -> None:
        self._rtt = FIRST_RTT
        self.exhausted = False  # the last refusal was for the budget: a new picture is cheaper than what is lost
        self._tokens = float(BURST)
        self._at: float | None = None
        self._repeated: OrderedDict[int, float] = OrderedDict()  # sequence number: seconds, when last; at most PACKETS

    def measured(self, rtt: float) -> None:
        """A round trip, in seconds."""
        self._rtt += (rtt - self._rtt) / 4

    @property
    def pause(self) -> float:
        """Seconds that must pass before the same packet is sent again."""
        return min(LONGEST, max(SHORTEST, PATIENCE * self._rtt))

    def allows(self, packet: Outgoing, now: float, target: float) -> bool:
        """Whether to send it again, which then counts as done. target: bits a second that the stream aims at."""
        rate = max(LEAST_RATE, SHARE * target / 8)
        burst = min(BURST, max(LEAST_BURST, BURST_SECONDS * target / 8))
        self._tokens = min(burst, self._tokens + (0.0 if self._at is None else now - self._at) * rate)
        self._at = now
        last, size = self._repeated.get(packet.sequence), len(packet.payload)
        if last is not None and now - last < self.pause:
            return False
        self.exhausted = self._tokens < size
        if self.exhausted:
            return False
        self._tokens -= size
        self._repeated[packet.sequence] = now
        self._repeated.move_to_end(packet.sequence)
        if len(self._repeated) > PACKETS:
            self._repeated.popitem(last=False)
        return True

    def clear(self) -> None:
        """Forget what was sent again."""
        self._repeated.clear()
