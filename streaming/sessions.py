"""The gateway's table of sessions: who has a place, under which name, in which network process. Asks nobody.

A gateway may die and a new one take over, so the truth lies with the network processes: each keeps what `told` writes,
and a gateway that meets it reads it back with `adopt`.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from streaming.events import Events
from streaming.ipc import Answer

logger = logging.getLogger(__name__)


class Place(Protocol):
    """A network process."""

    role: str

    async def request(self, method: str, **params: Any) -> Answer:
        """Ask it."""
        ...

    def notice(self, method: str, **params: Any) -> None:
        """Tell it."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session from its beginning. name: unguessable, it is the right to end the session.

    ufrag: ICE's, of the offer. address: who asked, shortened. token: its name (jti). began: seconds, monotonic.
    watches: the session whose pictures it shows, None for one with a view of its own.
    """

    number: int
    name: str
    model: str
    etag: str
    ufrag: str | None
    address: str
    token: str
    began: float
    watches: int | None = None

    def told(self) -> dict[str, Any]:
        """For the network process to keep."""
        return asdict(self)


@dataclass(eq=False, slots=True)
class Entry:
    """A session that exists. codec: "" until it has one."""

    facts: Facts
    network: Place
    codec: str = ""

    @property
    def number(self) -> int:
        """The session's number, for our own processes and the log."""
        return self.facts.number

    @property
    def name(self) -> str:
        """The session's name, for its viewer."""
        return self.facts.name

    @property
    def model(self) -> str:
        """What it shows."""
        return self.facts.model

    @property
    def watch_key(self) -> str:
        """The right to watch it, and to do nothing else; made from its name, which it does not give away."""
        digest = hashlib.sha256(b"watch " + self.facts.name.encode()).digest()
        return base64.urlsafe_b64encode(digest[:18]).decode()

    def listed(self, **more: object) -> dict[str, object]:
        """For logs and lists."""
        facts = self.facts
        known = {"session": facts.number, "model": facts.model, "codec": self.codec, "network": self.network.role}
        watching = {} if facts.watches is None else {"watches": facts.watches}
        return {**known, "address": facts.address, "token": facts.token, **watching, **more}


@dataclass(eq=False, slots=True)
class Sessions:
    """All sessions of the server, as far as its network processes have been met."""

    events: Events
    departed: int = 0  # viewers that ever left
    displaced: int = 0  # viewers that ever lost their place with a network process
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _by_name: dict[str, Entry] = field(default_factory=dict)
    _by_number: dict[int, Entry] = field(default_factory=dict)
    _by_key: dict[str, Entry] = field(default_factory=dict)  # those that can be watched
    _watchers: dict[int, list[Entry]] = field(default_factory=dict)  # of each session that is

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._by_name.values(), key=lambda entry: entry.number))

    def get(self, name: str) -> Entry | None:
        """The session of this name."""
        return self._by_name.get(name)

    @property
    def viewers(self) -> int:
        """How many have a view of their own."""
        return len(self._by_key)

    @property
    def watchers(self) -> int:
        """How many show another's pictures."""
        return len(self._by_name) - len(self._by_key)

    def watched(self, key: str) -> Entry | None:
        """The session that may be watched with this key: its name, or its watch key."""
        entry = self._by_key.get(key) or self._by_name.get(key)
        return entry if entry is not None and entry.facts.watches is None else None

    def watchers_of(self, entry: Entry) -> int:
        """How many watch it."""
        return len(self._watchers.get(entry.number, ()))

    def begin(
        self,
        network: Place,
        model: str,
        *,
        ufrag: str | None,
        address: str,
        token: str,
        watches: int | None = None,
    ) -> Entry:
        """Take a place for a new session."""
        name, etag = secrets.token_urlsafe(24), f'"{secrets.token_hex(8)}"'
        facts = Facts(next(self._numbers), name, model, etag, ufrag, address, token, time.monotonic(), watches)
        return self._add(Entry(facts, network))

    def opened(self, entry: Entry, codec: str) -> bool:
        """It shows pictures in this codec. False when it has ended meanwhile."""
        if self._by_name.get(entry.name) is not entry:
            return False
        entry.codec = codec
        logger.info("session %d begins: %s", entry.number, entry.model, extra=entry.listed())
        return True

    def adopt(self, network: Place, told: Sequence[Mapping[str, Any]], highest: int) -> None:
        """Sessions that a network process has, and the highest number that it ever had."""
        for each in told:
            facts = Facts(**each["facts"])
            if facts.number not in self._by_number:
                self._add(Entry(facts, network, each["codec"]))
            highest = max(highest, facts.number)
        self._numbers = itertools.count(max(highest + 1, next(self._numbers)))
        if told:
            logger.info("%s has %d sessions", network.role, len(told))

    def lost(self, network: Place, reason: str) -> None:
        """A network process ended, and its sessions with it."""
        before, left = self.viewers, self.departed
        for entry in [entry for entry in self._by_name.values() if entry.network is network]:
            self.forget(entry, reason)
        self.displaced += before - self.viewers
        self.departed = left

    def gone(self, network: Place, number: int, reason: str) -> None:
        """A session of a network process ended by itself."""
        entry = self._by_number.get(number)
        if entry is not None and entry.network is network:
            self.forget(entry, reason)

    def forget(self, entry: Entry, reason: str) -> None:
        """It has ended; whoever listens is told why. Its name means nothing any more, and its watchers end, too."""
        if self._by_name.pop(entry.name, None) is None:
            return
        del self._by_number[entry.number]
        self._leave(entry)
        self.events.gone(entry.name, reason)
        for watcher in self._watchers.pop(entry.number, []):
            self.forget(watcher, "owner-left")
            watcher.network.notice("close", session=watcher.number)
        if entry.codec:
            seconds = round(time.monotonic() - entry.facts.began, 1)
            logger.info("session %d ends after %.1f s", entry.number, seconds, extra=entry.listed(seconds=seconds))

    def load(self) -> Counter[str]:
        """Sessions of each network process."""
        return Counter(entry.network.role for entry in self._by_name.values())

    def _add(self, entry: Entry) -> Entry:
        self._by_name[entry.name] = self._by_number[entry.number] = entry
        if entry.facts.watches is None:
            self._by_key[entry.watch_key] = entry
        else:
            self._watchers.setdefault(entry.facts.watches, []).append(entry)
        return entry

    def _leave(self, entry: Entry) -> None:
        watched = entry.facts.watches
        if watched is None:
            del self._by_key[entry.watch_key]
            self.departed += bool(entry.codec)
        elif entry in self._watchers.get(watched, ()):
            self._watchers[watched].remove(entry)
            if not self._watchers[watched]:
                del self._watchers[watched]
