"""The gateway's front desk: who comes in now, who waits, and what the host could still carry. Opens no session.

Ties what is measured (`Admission`) to the line of those who wait (`WaitingRoom`). A gateway that ends takes the line
with it: whoever comes with a ticket of another one begins anew at its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from streaming.admission import Admission, Load
from streaming.config import Config, is_loopback
from streaming.errors import FullError, ProcessLost, SignallingError
from streaming.ipc import Answer
from streaming.metrics import GatewayMetrics
from streaming.waiting import LineFull, Wait, WaitingRoom, new_ticket

MEASURE_SECONDS = 1.0  # between two measurements, while there is anybody
MEASURE_SECONDS_MOST = 5.0  # for one of them
FULL_SECONDS = 10  # after which one should ask again who cannot even wait

logger = logging.getLogger(__name__)


class Counts(Protocol):
    """The table of sessions, as far as it is counted here."""

    @property
    def viewers(self) -> int:
        """Sessions with a view of their own."""
        ...

    @property
    def watchers(self) -> int:
        """Sessions that show another's pictures."""
        ...

    @property
    def departed(self) -> int:
        """Viewers that ever left, rising."""
        ...

    @property
    def displaced(self) -> int:
        """Viewers that ever lost their place with a process, rising."""
        ...


class Process(Protocol):
    """One of our processes."""

    role: str

    async def request(self, method: str, *, patience: float, again: bool = False) -> Answer:
        """Ask it."""
        ...


class Meter:
    """Asks the processes what they did lately. networks: those that run now."""

    def __init__(self, render: Process, networks: Callable[[], list[Process]]) -> None:
        self._render, self._networks = render, networks
        self._cpu: dict[str, tuple[float, float]] = {}  # by role: CPU seconds at a time

    async def __call__(self) -> Load:
        """Since the last call. Raises ProcessLost and SignallingError."""
        shares = [await self._share(network) for network in self._networks()]
        told = (await self._render.request("busy", patience=MEASURE_SECONDS)).result
        return Load(**told, network=max(shares, default=0.0))

    async def _share(self, network: Process) -> float:
        """Of one core. 0 for a process that has only begun."""
        told = (await network.request("busy", patience=MEASURE_SECONDS)).result
        cpu, at = told["cpu"], told["at"]
        before, since = self._cpu.get(network.role, (cpu, at))
        self._cpu[network.role] = cpu, at
        return min(1.0, (cpu - before) / (at - since)) if cpu > before and at > since else 0.0


class Lobby:
    """Decides about each viewer that comes. measure: what the host does; clock: seconds, monotonic."""

    def __init__(
        self,
        config: Config,
        counts: Counts,
        measure: Callable[[], Awaitable[Load]],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
        make_ticket: Callable[[], str] = new_ticket,
    ) -> None:
        self._most = config.max_sessions
        self.elsewhere: Callable[[], int] = lambda: 0  # places on other hosts, for those who wait here
        self._counts, self._measure, self._metrics, self._clock = counts, measure, metrics, clock
        self._admission = Admission(config.max_sessions, config.min_sessions)
        self._task: asyncio.Task[None] | None = None
        self._room = WaitingRoom(config.queue_length, config.queue_address, make_ticket)
        self._departed, self._displaced, self._strayed = counts.departed, counts.displaced, 0

    # -- who comes ----------------------------------------------------------------------------------------------------

    def renews(self, ticket: str) -> bool:
        """Whether somebody who waits asks again when it was told to: that is not asking too often."""
        return self._room.renews(ticket, self._clock())

    def waits(self, ticket: str) -> bool:
        """Whether this ticket has a place in this line."""
        return self._room.knows(ticket)

    @contextmanager
    def admitted(self, *, returning: bool) -> Iterator[None]:
        """A place here for one whom the fleet has sent: the line is the sender's business. Raises FullError.

        returning: it had a place a moment ago, and lost it with a process.
        """
        now = self._clock()
        if not (self._look() or (returning and self._admission.free(self._counts.viewers, now))):
            self._metrics.full.labels(self._admission.reason(self._counts.viewers)).inc()
            raise FullError("the host has no more room", FULL_SECONDS)
        self._admission.arrived(now)
        yield

    @contextmanager
    def turn(self, ticket: str, address: str, free: int) -> Iterator[None]:
        """As `place`, but for places anywhere. free: how many there are. Raises FullError."""
        with self._turn(ticket, address, free, self._clock()):
            yield

    @contextmanager
    def place(self, ticket: str, address: str, *, returning: bool = False) -> Iterator[None]:
        """A place for as long as it takes to open a session, which counts from then on. Raises FullError.

        ticket: of an earlier refusal, or anything. Who had one gets it back when the session cannot be opened.
        returning: it had a place a moment ago, and lost it with a process; it does not wait behind others.
        """
        free, now = self._look(), self._clock()
        if returning and self._admission.free(self._counts.viewers, now):
            self._admission.arrived(now)
            yield
            return
        with self._turn(ticket, address, free, now):
            self._admission.arrived(now)
            yield

    @contextmanager
    def _turn(self, ticket: str, address: str, free: int, now: float) -> Iterator[None]:
        waited = self._room.waited(ticket, now)
        limited = None if is_loopback(address) else address
        try:
            wait = self._room.enter(ticket, limited, free, self._counts.viewers, now)
        except LineFull as error:
            self._metrics.full.labels("queue").inc()
            raise FullError(str(error), FULL_SECONDS) from error
        if wait is not None:
            raise self._refusal(wait, free)
        if waited:
            self._metrics.waited.observe(waited)
        try:
            yield
        except BaseException:
            if waited:
                self._room.put_back(ticket, limited, waited, self._clock())
            raise

    def _refusal(self, wait: Wait, free: int) -> FullError:
        reason = "line" if free else self._admission.reason(self._counts.viewers)
        if wait.is_new:
            self._metrics.full.labels(reason).inc()
        why = {
            "line": "others waited for the places that are free",
            "sessions": f"all {self._most} places are taken",
            "load": "the host has no more room",
        }[reason]
        told = {"ticket": wait.ticket, "position": wait.position, "seconds": wait.seconds}
        return FullError(f"{why}; you are number {wait.position} in line", wait.retry, told)

    def watch(self, watchers: int, most: int) -> None:
        """One more for a session that has so many watchers. They cost sending only. Raises FullError."""
        if watchers >= most:
            self._metrics.full.labels("watchers").inc()
            raise FullError(f"this session has {watchers} watchers already, and no more may", FULL_SECONDS)
        if not self._admission.can_send:
            self._metrics.full.labels("network").inc()
            raise FullError("the host cannot send to more viewers now", FULL_SECONDS)

    # -- what there is ------------------------------------------------------------------------------------------------

    def told(self) -> dict[str, int]:
        """For whoever places viewers on hosts. capacity: viewers the host would carry, as they are now."""
        free = max(0, self._look() - len(self._room))
        viewers = self._counts.viewers
        line = {"queue": len(self._room), "watchers": self._counts.watchers}
        return {"sessions": viewers, "capacity": viewers + free, "free": free, **line}

    @property
    def waiting(self) -> int:
        """Who waits in this line."""
        return len(self._room)

    @property
    def capacity(self) -> int:
        """Viewers the host would carry, whoever waits."""
        return self._counts.viewers + self._look()

    def start(self) -> None:
        """Begin to measure."""
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Measure no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Measure while there is anybody, and strike out who does not come again."""
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            if self._counts.viewers or self._counts.watchers or len(self._room):
                await self._tick()
                self._look()

    async def _tick(self) -> None:
        try:
            async with asyncio.timeout(MEASURE_SECONDS_MOST):
                load = await self._measure()
        except (ProcessLost, SignallingError, TimeoutError) as error:
            logger.debug("no load figures: %s", error)  # a process is being replaced; the figures before it stay
        else:
            self._admission.observe(load, self._clock())

    def show(self) -> None:
        """Bring the metrics up to date, for whoever reads them now."""
        told, numbers = self.told(), self._metrics
        numbers.capacity.set(told["capacity"])
        numbers.free.set(told["free"])
        numbers.waiting.set(told["queue"])
        numbers.watchers.set(self._counts.watchers)
        for resource, share in self._admission.busy.items():
            numbers.busy.labels(resource).set(share)
        numbers.strayed.inc(self._room.lost - self._strayed)
        self._strayed = self._room.lost

    def _look(self) -> int:
        """Places now, after whatever has happened since the last look."""
        counts, now = self._counts, self._clock()
        for _ in range(counts.departed - self._departed):
            self._room.left(now)
        if counts.displaced > self._displaced:
            self._admission.lost(counts.displaced - self._displaced, now)
        self._departed, self._displaced = counts.departed, counts.displaced
        free = self._admission.free(counts.viewers, now)
        if len(self._room):  # those who lost their places are not made to wait behind the line
            free = max(0, free - self._admission.kept(now))
        self._room.look(free + self.elsewhere(), now)
        return free
