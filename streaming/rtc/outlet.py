"""Where the pacer's packets go: onto the wire, into the history, to congestion control. Decides no times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from streaming.rtc.estimates import Congestion
from streaming.rtc.extensions import Header, ntp_of
from streaming.rtc.fates import Fates
from streaming.rtc.history import History
from streaming.rtc.outgoing import Outgoing, Picture, Strip, repetitions
from streaming.rtc.pacer import Limits
from streaming.rtc.wire import Wire


class Outlet:
    """Of one stream; a `pacer.Outlet`. A closed connection takes everything and ends the stream.

    wire: None until there is a connection. seals: no retransmission stream was negotiated. ntp: of the last burst.
    """

    def __init__(self, congestion: Congestion, ended: Callable[[], None]) -> None:
        self.history, self.fates = History(), Fates()
        self.header = Header({})
        self.wire: Wire | None = None
        self.seals = False
        self.ntp = 0
        self.target = congestion.target  # bits a second that the encoder was told to aim at
        self._congestion, self._ended = congestion, ended

    def limits(self) -> Limits:
        """How fast packets may leave."""
        return Limits(self._congestion.pacing, self.target)  # the target itself is dear, and news only after feedback

    def transmit(self, picture: Picture, count: int) -> int:
        """Send the next packets of a picture, and remember them."""
        number = self._number
        taken = self._send(picture.strips(count), count)
        if taken:
            self.fates.left(number, taken, picture.first + picture.left & 0xFFFF)
        if self.seals and self.wire is not None:
            picture.sealed += tuple(self.wire.datagrams())[:taken]
        picture.left += taken
        self.history.put(picture)
        return taken

    def repeat(self, packets: Sequence[Outgoing]) -> int:
        """Send packets again."""
        number = self._number
        taken = self._send(repetitions(packets), len(packets))
        for index, packet in enumerate(packets[:taken]):
            self.fates.left(number + index & 0xFFFF, 1, packet.original)
        return taken

    @property
    def _number(self) -> int:
        return 0 if self.wire is None else self.wire.number

    def _send(self, strips: Iterable[Strip], count: int) -> int:
        wire = self.wire
        if wire is None:
            return count
        now, number = time.monotonic(), wire.number
        self.ntp = ntp_of(time.time())
        try:
            datagrams = wire.send(strips, self.header, self.ntp)
        except ConnectionError:
            self._ended()
            return count
        if self.header.numbered and datagrams:
            self._congestion.burst(number, datagrams, now)
        return len(datagrams)
