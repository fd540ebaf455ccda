"""Those who get another viewer's packets: what is sent to whom, and how often they may cost it a key frame.

Lives in the render process, on its event loop. Refuses to wait for a watcher and to keep packets for one, but for a key
frame and the few pictures after it: they serve whoever joins while nothing moves, and cost the owner nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from streaming.ipc import Link, Packet
from streaming.protocol import Outbound, dump

JOIN_SECONDS = 0.5  # between two key frames for those who join, or have just joined
RECOVER_SECONDS = 3.0  # the same for those who lost a picture or could not follow
UNSENT = 3  # packets on the way to one watcher; one more, and it skips to the next key frame
_AGAIN = 90  # ticks (1 ms) by which pictures that are sent once more are later than themselves


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
    """since: when its player could receive. behind: it has not what the next picture is predicted from."""

    output: Output
    since: float | None = None
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
        self._budget, self._clock = KeyBudget(ask_key, later, clock), clock
        self._watchers: dict[int, _Watcher] = {}  # bounded by the gateway: max_watchers
        self._recent: list[Packet] = []  # the newest key frame and all since; none when they are more than UNSENT

    def __len__(self) -> int:
        return len(self._watchers)

    def __iter__(self) -> Iterator[Output]:
        return iter([watcher.output for watcher in self._watchers.values()])

    def join(self, output: Output) -> None:
        """One more. It gets nothing until its player is connected: pictures that waited for that would be old."""
        self._watchers[output.session] = _Watcher(output)

    def connected(self, session: int) -> None:
        """A player can receive; its first picture is a key frame."""
        watcher = self._watchers.get(session)
        if watcher is not None:
            watcher.since = self._clock()
            self._catch_up(watcher)

    def leave(self, session: int) -> None:
        """One is gone."""
        self._watchers.pop(session, None)
        if not self._watchers:
            self._budget.cancel()

    def key_wanted(self, session: int) -> None:
        """A watcher's player lost something. Its network process lets through five such requests a second."""
        watcher = self._watchers.get(session)
        if watcher is not None:
            watcher.behind = True
            self._catch_up(watcher)

    def acknowledge(self, session: int) -> None:
        """One picture has left the host towards a watcher; whoever fell behind may have room again."""
        watcher = self._watchers.get(session)
        if watcher is None:
            return
        watcher.unsent = max(0, watcher.unsent - 1)
        if watcher.behind and not watcher.unsent:
            self._catch_up(watcher)

    def put(self, packet: Packet) -> None:
        """The owner's newest packet, for all of them."""
        if packet.key:
            self._budget.cancel()
            self._recent = [packet]
        elif self._recent:
            self._recent = [*self._recent, packet] if len(self._recent) < UNSENT else []
        for watcher in self._watchers.values():
            self._send(watcher, packet)

    def _send(self, watcher: _Watcher, packet: Packet) -> None:
        full = watcher.since is None or watcher.unsent >= UNSENT
        watcher.behind = full or (watcher.behind and not packet.key)
        if not watcher.behind:
            watcher.unsent += 1
            watcher.output.link.packet(replace(packet, session=watcher.output.session))

    def _catch_up(self, watcher: _Watcher) -> None:
        """By the last pictures if they can stand alone, else by the next one that can. A newcomer waits for less."""
        if not self._recent:
            is_new = watcher.since is not None and self._clock() - watcher.since < RECOVER_SECONDS
            self._budget.want(JOIN_SECONDS if is_new else RECOVER_SECONDS)
        self._recent = [replace(each, timestamp=(each.timestamp + _AGAIN) & 0xFFFFFFFF) for each in self._recent]
        for packet in self._recent:
            self._send(watcher, packet)
