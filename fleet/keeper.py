"""A host's life in its group: protected while busy, drained when it must go, and its hook completed at the end.

A state machine over the port `Lifecycle`; it sends nobody away itself, it says what to do (`Orders`). Notices are
levels, so a keeper that begins anew, after its process died, comes to the same state.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from fleet.errors import RefusedError, UnavailableError
from fleet.lifecycle import Lifecycle, Notices, Result, Target
from fleet.records import HostState

NOTICE_SECONDS = 5.0  # between two looks at the notices, as AWS advises
PROTECT_RETRY_SECONDS = 5.0  # after a call that failed
ENDING = frozenset({Target.TERMINATED, Target.WARMED_TERMINATED})
POOLED = frozenset({Target.WARMED_STOPPED, Target.WARMED_RUNNING, Target.WARMED_HIBERNATED})
GROUP = "the group takes this instance"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """idle: seconds without viewers until scale-in may take the host. drain: that viewers have when the group takes it.

    spot_margin: seconds before a Spot interruption by which everybody must have gone. heartbeat: between two heartbeats
    of the terminating hook, well below its timeout. hook: its name, "" = there is none.
    """

    idle: float = 300.0
    drain: float = 120.0
    spot_margin: float = 20.0
    heartbeat: float = 20.0
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the host shall do. deadline: seconds that viewers still have, None while nobody has to go.

    advised: to be told in the host's report. pooled: whether it waits, stopped, in a warm pool and shall not register.
    finished: nobody is left and the cloud knows it; the process may end.
    """

    state: HostState
    advised: bool = False
    deadline: float | None = None
    pooled: bool = False
    finished: bool = False


class Keeper:
    """Keeps one host. lifecycle: None for a host that nobody scales. clock: seconds, monotonic; now: Unix time."""

    def __init__(
        self,
        lifecycle: Lifecycle | None,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._lifecycle, self._limits, self._clock, self._now = lifecycle, limits, clock, now
        self._notices = Notices()
        self._looked: float | None = None
        self._protected: bool | None = None  # None = not known
        self._protect_again = 0.0
        self._busy: float | None = None  # when there were viewers last
        self._ends: float | None = None  # when the last viewer must have gone
        self._beaten: float | None = None  # when the hook heard of us
        self._completed = False
        self._served = False  # the group has had this instance in service since this process began

    def terminate(self, seconds: float) -> None:
        """SIGTERM: everybody goes within this time, sooner if something else says so."""
        self._drain_until(self._clock() + seconds, "SIGTERM")

    def tick(self, sessions: int) -> Orders:
        """What to do now; about once a second. sessions: that are there or begin. Blocks for the port's time-outs."""
        now = self._clock()
        if sessions:
            self._busy = now
        self._look(sessions, now)
        if self._ends is None:
            self._guard(sessions, now)
            return Orders(HostState.SERVING, self._notices.rebalance, pooled=self._notices.target in POOLED)
        over = now >= self._ends
        if sessions and not over:
            self._beat(now)
            return Orders(HostState.DRAINING, self._notices.rebalance, max(0.0, self._ends - now))
        finished = self._complete(now)
        return Orders(HostState.LEAVING, self._notices.rebalance, 0.0, finished=finished)

    # -- what is announced --------------------------------------------------------------------------------------------

    def _look(self, sessions: int, now: float) -> None:
        if self._lifecycle is None or (self._looked is not None and now - self._looked < NOTICE_SECONDS):
            return
        self._looked = now
        try:
            self._notices = self._lifecycle.notices()
        except (UnavailableError, RefusedError) as error:
            logger.debug("no notices: %s", error)  # the levels seen last stand
            return
        if self._notices.interruption is not None:
            left = self._notices.interruption - self._now() - self._limits.spot_margin
            self._drain_until(now + max(0.0, left), "Spot takes this instance")
        target = self._notices.target
        self._served |= target is Target.IN_SERVICE or bool(sessions)
        if target in ENDING or (target in POOLED and self._served):  # with ReuseOnScaleIn it goes back to its pool
            self._drain_until(now + self._limits.drain, GROUP)

    def _drain_until(self, ends: float, why: str) -> None:
        """The first reason begins the drain; a later one may only shorten it."""
        if self._ends is None:
            logger.info("draining: %s; viewers have %.0f s", why, ends - self._clock())
            self._ends = ends
        elif why != GROUP:
            self._ends = min(self._ends, ends)

    # -- protection ---------------------------------------------------------------------------------------------------

    def _guard(self, sessions: int, now: float) -> None:
        """Protected from the first viewer on; without viewers for a while, not. A new host's viewers may be near."""
        if self._lifecycle is None or self._notices.target is not Target.IN_SERVICE or now < self._protect_again:
            return
        if self._busy is None:
            self._busy = now
        wanted = bool(sessions) or now - self._busy < self._limits.idle
        if wanted == self._protected:
            return
        try:
            self._lifecycle.protect(wanted)
        except (UnavailableError, RefusedError) as error:
            logger.warning("protection from scale-in cannot be set to %s now: %s", wanted, error)
            self._protect_again = now + PROTECT_RETRY_SECONDS
        else:
            self._protected = wanted

    # -- the hook -----------------------------------------------------------------------------------------------------

    def _waits(self) -> bool:
        """Whether the group waits for us. A Spot interruption does not, and SIGTERM alone is nobody's hook."""
        return bool(self._limits.hook) and self._notices.target in ENDING | POOLED

    def _beat(self, now: float) -> None:
        if self._lifecycle is None or not self._waits():
            return
        if self._beaten is not None and now - self._beaten < self._limits.heartbeat:
            return
        self._beaten = now
        try:
            self._lifecycle.heartbeat(self._limits.hook)
        except (UnavailableError, RefusedError) as error:
            logger.warning("the terminating hook does not hear: %s", error)

    def _complete(self, now: float) -> bool:
        """Tell the hook that the host may end; True when nothing is left to tell."""
        if self._lifecycle is None or self._completed or not self._waits():
            return True
        if self._beaten is not None and now - self._beaten < 1.0:
            return False
        self._beaten = now
        try:
            self._lifecycle.complete(self._limits.hook, Result.CONTINUE)
        except UnavailableError as error:
            logger.warning("the terminating hook does not hear: %s", error)
            return False
        except RefusedError as error:
            logger.info("no hook waits: %s", error)
        self._completed = True
        return True
