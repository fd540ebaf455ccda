"""What was sent and may be asked for again: bounded in packets and time, and in what repeating it may cost."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

from streaming.rtc.outgoing import Outgoing, Picture

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

    Keeps their pictures; a packet is cut again when somebody asks for it, which is rare.
    """

    def __init__(self) -> None:
        self._pictures: list[Picture] = []  # oldest first
        self._firsts: list[int] = []  # sequence numbers of their first packets, without wrap
        self._packets = 0  # in all of them, those that have not left yet too

    def put(self, picture: Picture) -> None:
        """Remember what has left of a picture, and forget the oldest that are PACKETS before it."""
        if self._pictures and self._pictures[-1] is picture:
            return
        newest = self._firsts[-1] if self._firsts else picture.first
        self._firsts.append(newest + (picture.first - newest & 0xFFFF))
        self._pictures.append(picture)
        self._packets += len(picture.sizes)
        while self._packets - len(self._pictures[0].sizes) >= PACKETS:
            self._packets -= len(self._pictures.pop(0).sizes)
            del self._firsts[0]

    def find(self, sequence: int) -> Outgoing | None:
        """The packet with this number, unless it is forgotten or was never sent."""
        if not self._pictures:
            return None
        oldest = self._firsts[0]
        at = bisect_right(self._firsts, oldest + (sequence - oldest & 0xFFFF)) - 1
        picture = self._pictures[at]
        index = sequence - picture.first & 0xFFFF
        return picture.packet(index) if index < picture.left else None

    def newest(self, octets: int) -> list[Outgoing]:
        """The last packets, newest first, that together have at least so many bytes; fewer when no more are kept."""
        chosen: list[Outgoing] = []
        for picture in reversed(self._pictures):
            for index in range(picture.left - 1, -1, -1):
                if octets <= 0:
                    return chosen
                chosen.append(picture.packet(index))
                octets -= len(chosen[-1].payload)
        return chosen

    def clear(self) -> None:
        """Forget all."""
        self._pictures, self._firsts, self._packets = [], [], 0


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
