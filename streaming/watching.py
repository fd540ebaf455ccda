"""Those who get another viewer's packets: what is sent to whom, and how often they may cost it a key frame.

Lives in the render process, on its event loop. Refuses to wait for a watcher and to keep a packet for one, but for the
last picture when it stands alone: it serves whoever joins while nothing moves, and costs the owner nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from streaming.ipc import Link, Packet
from streaming.protocol import Outbound, dump

JOIN_SECONDS = 0.5  # between two key frames for those who join
RECOVER_SECONDS = 3.0  # the same for those who lost a picture or could not follow
UNSENT = 3  # packets on the way to one watcher; one more, and it skips to the next key frame
_AGAIN = 90  # ticks (1 ms) by which a picture that is sent once more is later than itself


class Timer(Protocol):
    """What `loop.call_later` returns, as far as it is needed here."""

    def cancel(self) -> None:
        """Call nothing any more."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]


@dataclass(frozen=True, slots=True)
class Output:
    """Where pictures go: a session of a network process."""

    link: Link
    session: int

    def send(self, message: Outbound) -> None:
        """Send a control message."""
        self.link.notice("control", session=self.session, text=dump(message))


@dataclass(eq=False, slots=True)
class _Watcher:
    """behind: it has not what the next picture is predicted from."""

    output: Output
    unsent: int = 0
    behind: bool = True


class KeyBudget:
    """Key frame requests of all watchers of one owner, as few as their patience allows; none is forgotten."""

    def __init__(self, ask: Callable[[], None], later: Later, clock: Callable[[], float]) -> None:
        self._ask, self._later, self._clock = ask, later, clock
        self._asked = float("-inf")
        self._timer: Timer | None = None
        self._at = float("inf")

    def want(self, interval: float) -> None:
        """Ask as soon as `interval` seconds have passed since the last time."""
        now, at = self._clock(), self._asked + interval
        if at >= self._at:
            return
        self.cancel()
        if at <= now:
            self._now()
        else:
            self._at = at
            self._timer = self._later(at - now, self._now)

    def cancel(self) -> None:
        """Nobody wants one any more, or one has come."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, float("inf")

    def _now(self) -> None:
        self._timer, self._at = None, float("inf")
        self._asked = self._clock()
        self._ask()


class Watchers:
    """The watchers of one viewer."""

    def __init__(self, ask_key: Callable[[], None], later: Later, clock: Callable[[], float] = time.monotonic) -> None:
        """ask_key: for a key frame of the owner's encoder."""
        self._budget = KeyBudget(ask_key, later, clock)
        self._watchers: dict[int, _Watcher] = {}  # bounded by the gateway: max_watchers
        self._last: Packet | None = None  # the newest, if it is a key frame

    def __len__(self) -> int:
        return len(self._watchers)

    def __iter__(self) -> Iterator[Output]:
        return iter([watcher.output for watcher in self._watchers.values()])

    def join(self, output: Output) -> None:
        """One more; its first picture is a key frame."""
        watcher = self._watchers[output.session] = _Watcher(output)
        self._catch_up(watcher, JOIN_SECONDS)

    def leave(self, session: int) -> None:
        """One is gone."""
        self._watchers.pop(session, None)
        if not self._watchers:
            self._budget.cancel()

    def key_wanted(self, session: int) -> None:
        """A watcher's player lost something."""
        watcher = self._watchers.get(session)
        if watcher is not None:
            watcher.behind = True
            self._catch_up(watcher, RECOVER_SECONDS)

    def acknowledge(self, session: int) -> None:
        """One picture has left the host towards a watcher; whoever fell behind may have room again."""
        watcher = self._watchers.get(session)
        if watcher is None:
            return
        watcher.unsent = max(0, watcher.unsent - 1)
        if watcher.behind and not watcher.unsent:
            self._catch_up(watcher, RECOVER_SECONDS)

    def put(self, packet: Packet) -> None:
        """The owner's newest packet, for all of them."""
        self._last = packet if packet.key else None
        if packet.key:
            self._budget.cancel()
        for watcher in self._watchers.values():
            self._send(watcher, packet)

    def _send(self, watcher: _Watcher, packet: Packet) -> None:
        full = watcher.unsent >= UNSENT
        watcher.behind = full or (watcher.behind and not packet.key)
        if not watcher.behind:
            watcher.unsent += 1
            watcher.output.link.packet(replace(packet, session=watcher.output.session))

    def _catch_up(self, watcher: _Watcher, interval: float) -> None:
        """By the last picture if it can stand alone, else by the next one that can."""
        last = self._last
        if last is None:
            self._budget.want(interval)
        else:
            self._last = replace(last, timestamp=(last.timestamp + _AGAIN) & 0xFFFFFFFF)
            self._send(watcher, self._last)
