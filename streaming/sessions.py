"""The gateway's table of sessions: who has a place, under which name, in which network process. Asks nobody.

A gateway may die and a new one take over, so the truth lies with the network processes: each keeps what `told` writes,
and a gateway that meets it reads it back with `adopt`.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from streaming.events import Events
from streaming.ipc import Answer

NAME = re.compile(r"[A-Za-z0-9_-]{32}(\.[a-z2-7]{8})?")  # of a session; in a fleet with its host's tag
MISSED_SECONDS = 15.0  # for which watchers of a session that was lost may hope that its owner comes again
MISSED = 1000  # such sessions remembered

logger = logging.getLogger(__name__)


def new_name() -> str:
    """The name of a new session."""
    return secrets.token_urlsafe(24)


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
    watches: the session whose pictures it shows, None for one with a view of its own. again: the name of the first
    session that this owner had, "" for the first one. claim: its slot in the fleet's table, "" for none.
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
    again: str = ""
    claim: str = ""

    def told(self) -> dict[str, Any]:
        """For the network process to keep."""
        return asdict(self)


@dataclass(eq=False, slots=True)
class Entry:
    """A session that exists. codec: "" until it has one. shows: which version, as `streaming.versions` spells it."""

    facts: Facts
    network: Place
    codec: str = ""
    shows: str = ""

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
        """The right to watch it, and to do nothing else. The same for all sessions that its owner has in turn.

        Made from the name of the first, which it does not give away: who knows that name is its owner.
        """
        return _key(self.facts.again or self.facts.name)

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
    make_name: Callable[[], str] = new_name
    departed: int = 0  # viewers that ever left
    displaced: int = 0  # viewers that ever lost their place with a network process
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _by_name: dict[str, Entry] = field(default_factory=dict)
    _by_number: dict[int, Entry] = field(default_factory=dict)
    _by_key: dict[str, list[Entry]] = field(default_factory=dict)  # those that can be watched, the newest last
    _missed: OrderedDict[str, float] = field(default_factory=OrderedDict)  # until when each of these keys may hope
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
        return sum(map(len, self._by_key.values()))

    @property
    def watchers(self) -> int:
        """How many show another's pictures."""
        return sum(map(len, self._watchers.values()))

    def watched(self, key: str) -> Entry | None:
        """The session that may be watched with this key: its name, or its watch key; the newest that shows pictures."""
        entry = self._by_name.get(key)
        named = [] if entry is None or entry.facts.watches is not None else [entry]
        showing = [entry for entry in named or self._by_key.get(key, []) if entry.codec]
        return showing[-1] if showing else None

    def is_missed(self, key: str) -> bool:
        """Whether a session of this key was lost a moment ago, or begins just now: its owner may come again."""
        return key in self._by_key or self._missed.get(key, 0.0) > time.monotonic()

    def returns(self, again: str) -> bool:
        """Whether who names this first session of its own lost its last one a moment ago."""
        return bool(again) and self._missed.get(_key(again), 0.0) > time.monotonic()

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
        again: str = "",
        claim: str = "",
    ) -> Entry:
        """Take a place for a new session."""
        name, etag = self.make_name(), f'"{secrets.token_hex(8)}"'
        began = time.monotonic()
        facts = Facts(next(self._numbers), name, model, etag, ufrag, address, token, began, watches, again, claim)
        return self._add(Entry(facts, network))

    def opened(self, entry: Entry, codec: str) -> bool:
        """It shows pictures in this codec. False when it has ended meanwhile."""
        if self._by_name.get(entry.name) is not entry:
            return False
        entry.codec = codec
        logger.info("session %d begins: %s", entry.number, entry.model, extra=entry.listed())
        return True

    def adopt(self, network: Place, told: Sequence[Mapping[str, Any]], highest: int) -> Sequence[Entry]:
        """Sessions that a network process has, and the highest number that it ever had. Returns those that were new."""
        new = []
        for each in told:
            facts = Facts(**each["facts"])
            if facts.number not in self._by_number:
                new.append(self._add(Entry(facts, network, each["codec"], each.get("shows", ""))))
            highest = max(highest, facts.number)
        self._numbers = itertools.count(max(highest + 1, next(self._numbers)))
        if told:
            logger.info("%s has %d sessions", network.role, len(told))
        return new

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
        self._leave(entry, lost=reason != "ended")
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
            self._by_key.setdefault(entry.watch_key, []).append(entry)
        else:
            self._watchers.setdefault(entry.facts.watches, []).append(entry)
        return entry

    def _leave(self, entry: Entry, *, lost: bool) -> None:
        watched = entry.facts.watches
        if watched is not None:
            _drop(self._watchers, watched, entry)
            return
        _drop(self._by_key, entry.watch_key, entry)
        self.departed += bool(entry.codec)
        if lost and entry.codec:
            self._missed[entry.watch_key] = time.monotonic() + MISSED_SECONDS
            self._missed.move_to_end(entry.watch_key)
            while len(self._missed) > MISSED:
                self._missed.popitem(last=False)


def _key(name: str) -> str:
    """In a fleet it tells the host of that first session, as its name does."""
    digest = hashlib.sha256(b"watch " + name.encode()).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode() + "".join(name.partition(".")[1:])


def _drop(table: dict[Any, list[Entry]], key: object, entry: Entry) -> None:
    """Take an entry out of a list of its table, and the list when it is empty."""
    entries = table.get(key, [])
    if entry in entries:
        entries.remove(entry)
        if not entries:
            del table[key]
