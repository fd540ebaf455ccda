"""How fast one viewer may be sent to: puts the measurements together. Sends nothing, reads no clock but its own.

For each feedback message: the trend of the delay says whether a queue grows, the queue's own length whether that
matters, the rate at which it empties what the path carries; trains of packets say how much more it would carry; loss
decides only where delay has nothing to say. docs/congestion.md has the whole of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from streaming.congestion.aimd import Aimd
from streaming.congestion.feedback import parse
from streaming.congestion.history import OVERHEAD, History, News
from streaming.congestion.loss import SUSPECT, Loss
from streaming.congestion.probing import ProbePlan, Prober
from streaming.congestion.protection import ROOM, Doubling, copies, opens
from streaming.congestion.queueing import Queueing
from streaming.congestion.remb import ReceiverEstimate
from streaming.congestion.trendline import Trendline, Usage
from streaming.congestion.windows import Minimum, Rate

STANDING = 0.010  # seconds of standing queue without which a growing delay is only jitter
CHOKED = 0.05  # seconds of standing queue that need no trend beside them...
CHOKED_SHARE = 0.8  # ...when the queue empties at less than this part of the estimate
EXPECTED = 0.1  # seconds that what is on its way will wait, if more than CALM is seen already
CALM = 0.03  # seconds of standing queue up to which more may be tried
LONG = 0.1  # seconds of standing queue from which nothing is sent twice; less may be a way that has become longer
SPAN = 0.05  # seconds of queue over which its emptying is measured: radio gaps of 20 ms must not decide
USED = 0.7  # of the estimate that pictures must take for its increase to mean anything

HEADROOM = 0.95  # of the estimate for pictures; the rest is packet headers
RETREAT_FROM, RETREAT_OVER, RETREAT_LEAST = 0.04, 0.3, 0.3  # standing queue (s) that is drained by sending less
FIRST_FLIGHT = 40_000  # bytes that may be on their way before anything arrived: a first picture; then as many more
FLIGHT_SLACK = 0.05  # seconds of the estimate that may be on their way beyond what round trip and feedback explain
FEEDBACK_SECONDS, FEEDBACK_MOST = 0.1, 0.25  # between two messages of a player: at the start, and as far as it counts
FEEDBACK_SHARE = 0.1  # of a new interval in the smoothed one
ROUND_TRIP = 0.1  # seconds, until it is known

PACE = 1.5  # times the estimate: large pictures are spread so, for a queue of a third of their length
START_PACE = 10.0  # times the start bitrate, until the path has been found full: a narrow link takes as long either way
NEARBY = 0.0015  # seconds there and back in which 6 Mb/s would not carry one packet: there is no narrow link
PROBE_MARGIN, FOUND_MARGIN = 0.95, 0.9  # of what a train showed: not held up, held up
ACTIVE = 0.2  # seconds after the last packet in which the stream moves


class Controller:
    """The bandwidth estimate of one viewer, in bits per second; the caller gives the time (seconds, monotonic)."""

    def __init__(self, start: int, least: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._start, self._least, self._most, self._clock = start, least, most, clock
        self._history, self._trend, self._queue, self._loss = History(), Trendline(), Queueing(), Loss()
        self._aimd, self._prober, self._doubling = Aimd(start, least, most), Prober(self._history), Doubling()
        self._remb = ReceiverEstimate(start, least, most)
        self._heard: float | None = None  # when the last transport-wide feedback came
        self._interval = FEEDBACK_SECONDS  # between two of them while the stream moves, seconds
        self._arrived = 0  # bytes
        self._round_trip = Minimum(10.0)
        self._rate, self._pictures = Rate(0.5), Rate(0.5)  # everything that is sent; pictures, each once
        self._last_sent = float("-inf")
        self._shown = START_PACE * start  # bits per second that the path took without holding anything up

    # -- what happens -------------------------------------------------------------------------------------------------

    def sent(self, number: int, size: int, now: float) -> None:
        """A packet with this transport-wide number left: a picture's, a retransmission, padding. size: its datagram."""
        self.burst(number, (size,), now)

    def burst(self, number: int, sizes: Sequence[int], now: float) -> None:
        """Packets left together, numbered on from `number`."""
        count, size = len(sizes), sum(sizes) + OVERHEAD * len(sizes)
        self._prober.sent(self._history.sent(number, sizes, now), count, size, now)
        self._rate.add(size, now)
        self._last_sent = now

    def spent(self, size: int, now: float) -> None:
        """So many bytes of pictures left, numbered or not, without what was sent again."""
        self._remb.sent(size, now)
        self._pictures.add(size, now)

    def feedback(self, fci: bytes, now: float) -> list[int]:
        """Transport-wide feedback (RTPFB, format 15, behind its SSRCs). Numbers newly lost. Raises FeedbackError."""
        news = self._history.match(parse(fci))
        if self._heard is not None:
            self._interval += FEEDBACK_SHARE * (min(now - self._heard, FEEDBACK_MOST) - self._interval)
        self._heard = now
        self._arrived += sum([size for _, _, size in news.arrivals])
        self._queue.add(news.arrivals)
        self._trend.add(news.arrivals)
        if news.arrivals:
            self._round_trip.add(now - news.arrivals[-1][0], now)
        self._decide(news, now)
        return news.lost

    def misses(self, number: int) -> bool:
        """Whether the packet with this transport-wide number is reported as lost."""
        return self._history.misses(number)

    def remb(self, bitrate: int, now: float) -> None:
        """A receiver's own estimate; listened to only when the player sends no transport-wide feedback."""
        self._remb.estimate(bitrate, now)

    def report(self, fraction_lost: float, rtt: float | None, now: float) -> None:
        """A receiver report. fraction_lost: 0..1 since the one before; rtt: seconds."""
        if rtt is not None:
            self._round_trip.add(rtt, now)
        if self._heard is None:
            self._remb.scale(self._loss.factor(fraction_lost, 0.0))

    # -- what follows -------------------------------------------------------------------------------------------------

    @property
    def estimate(self) -> float:
        """What the path is believed to carry."""
        return self._aimd.estimate if self._heard is not None else float(self._remb.target)

    @property
    def loss(self) -> float:
        """Smoothed share of packets that are lost, 0..1."""
        return self._loss.average

    @property
    def queue(self) -> float:
        """Standing queue, seconds."""
        return self._queue.delay

    @property
    def round_trip(self) -> float:
        """Shortest lately, seconds."""
        shortest = self._round_trip.value
        return ROUND_TRIP if shortest == float("inf") else shortest

    @property
    def sustained(self) -> int:
        """What pictures can have in the long run: the estimate without headers, retransmissions and second copies."""
        share = 1.0 if self._heard is None else HEADROOM * (1 - self._loss.average)
        return max(self._least // 2, round(self.estimate * share * self._doubling.share(self.estimate)))

    @property
    def target(self) -> int:
        """For the encoder: the same, and less while a queue drains."""
        return max(self._least // 2, round(self.sustained * min(self._retreat(), self._flight_share())))

    @property
    def pacing(self) -> float:
        """The rate at which large pictures are to be spread; 0 where that is not needed."""
        if self.round_trip < NEARBY:
            return 0.0
        return max(PACE * self.estimate, self._shown)

    @property
    def copies(self) -> int:
        """How often a packet is sent that a player asks for again; once while a long queue stands."""
        return copies(self._loss.average) if self._queue.delay < LONG else 1

    def doubles(self, size: int, ordinal: int, now: float) -> bool:
        """Whether the picture that has just left is to be sent a second time.

        size: bytes. ordinal: which picture it is since the last rest, from 0.
        """
        fits = self._queue.delay < LONG and self._trend.usage is not Usage.OVER
        wanted = self._doubling.wanted or opens(size, ordinal, self.estimate)
        return wanted and fits and self._rate.at(now) <= ROOM * self.estimate

    def probe(self, now: float) -> ProbePlan | None:
        """A train to send now, if one is wanted. Ask after each picture: nothing is probed while nothing moves."""
        moving = now - self._last_sent < ACTIVE
        calm = self._queue.delay < CALM and self._trend.usage is not Usage.OVER
        if not (self._heard is not None and moving and calm and self.estimate < self._wanted(now)):
            return None
        return self._prober.plan(self.estimate, now)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _wanted(self, now: float) -> float:
        """Worth probing for: the start bitrate, and more when even that is used."""
        return self._most if self._used(now) and self.estimate >= self._start else self._start

    def _used(self, now: float) -> bool:
        return self._pictures.at(now) >= USED * self.estimate * self._doubling.share(self.estimate)

    def _decide(self, news: News, now: float) -> None:
        lost = self._loss.add(len(news.arrivals), len(news.lost) - news.found, now)
        factor = 1.0 if lost is None else self._loss.factor(lost, self._queue.delay)
        self._doubling.follow(self._loss.average)
        full = self._full(now)
        if full is not None:
            self._lower(full, now)
        elif lost is not None and factor != 1:
            self._aimd.scale(factor, floor=self._rate.at(now) * (1 - lost))
            self._shown = 0.0
        elif self._trend.usage is Usage.NORMAL and self._queue.delay < CALM and self._used(now):
            self._aimd.rise(self.round_trip, now)
        else:
            self._aimd.hold(now)
        if self._trend.usage is not Usage.OVER:
            self._climb(news, now)

    def _full(self, now: float) -> float | None:
        """What the path carries, in bits per second, when that is less than it is given; else None."""
        if self._queue.delay <= STANDING:
            return None
        carried = self._queue.drained(SPAN)
        if carried is None:
            return None
        growing = self._trend.usage is Usage.OVER
        narrow = carried < CHOKED_SHARE * self._aimd.estimate
        return carried if growing or (narrow and self._stands(carried, now)) else None

    def _stands(self, carried: float, now: float) -> bool:
        """Whether a queue stands, or will, as so much is on its way and so little is carried, or is too short to."""
        if self._loss.average > SUSPECT:
            return True
        expected = self._history.in_flight(now) * 8 / carried - self.round_trip - self._interval
        return self._queue.delay > CHOKED or (self._queue.delay > CALM and expected > EXPECTED)

    def _lower(self, carried: float, now: float) -> None:
        if self._aimd.lower(carried, now):
            self._shown = 0.0
            self._prober.reset()

    def _climb(self, news: News, now: float) -> None:
        for finding in self._prober.findings(news.newest, now):
            if finding.passed:
                self._shown = max(self._shown, PACE * finding.rate)
            if self._aimd.estimate < self._wanted(now):
                margin = PROBE_MARGIN if finding.passed else FOUND_MARGIN
                self._aimd.raise_to(min(margin * finding.rate, self._wanted(now)))

    def _retreat(self) -> float:
        """Less than the estimate while a queue stands, so that it drains."""
        return max(RETREAT_LEAST, 1 - max(0.0, self._queue.delay - RETREAT_FROM) / RETREAT_OVER)

    def _flight_share(self) -> float:
        """Less when too much is on its way without news: the path narrowed and the feedback is late."""
        flight = self._history.in_flight(self._clock())
        seconds = self.round_trip + self._interval + FLIGHT_SLACK
        window = min(self.estimate / 8 * seconds, FIRST_FLIGHT + self._arrived)
        return min(1.0, window / flight) if flight else 1.0
