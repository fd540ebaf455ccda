"""The gateway's table: who is counted as what, and which session a key means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from streaming import sessions as module
from streaming.events import Events
from streaming.ipc import Answer
from streaming.sessions import NAME, Entry, Sessions

H264 = "video/H264"


@dataclass(eq=False)
class Network:
    role: str = "network-0"
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def request(self, method: str, **params: Any) -> Answer:  # noqa: ARG002
        return Answer({})

    def notice(self, method: str, **params: Any) -> None:
        self.told.append((method, params))


def begin(sessions: Sessions, network: Network, *, codec: str = H264, **more: Any) -> Entry:
    entry = sessions.begin(network, "chair", ufrag=None, address="", token="", **more)
    if codec:
        assert sessions.opened(entry, codec)
    return entry


def test_a_key_watches_and_does_not_tell_the_name() -> None:
    sessions, network = Sessions(Events()), Network()
    entry = begin(sessions, network)
    assert NAME.fullmatch(entry.name)
    assert entry.name not in entry.watch_key
    assert sessions.watched(entry.watch_key) is sessions.watched(entry.name) is entry
    assert sessions.get(entry.watch_key) is None
    watcher = begin(sessions, network, watches=entry.number)
    assert sessions.watched(watcher.name) is sessions.watched(watcher.watch_key) is None


def test_watchers_are_counted_apart_and_end_with_their_owner() -> None:
    sessions, here, there = Sessions(Events()), Network(), Network("network-1")
    entry = begin(sessions, here)
    other = begin(sessions, here)
    watchers = [begin(sessions, there, watches=entry.number) for _ in range(3)]
    assert (sessions.viewers, sessions.watchers, sessions.watchers_of(entry)) == (2, 3, 3)
    sessions.forget(watchers[0], "ended")
    sessions.forget(entry, "ended")
    assert (len(sessions), sessions.viewers, sessions.watchers, sessions.departed) == (1, 1, 0, 1)
    assert there.told == [("close", {"session": watcher.number}) for watcher in watchers[1:]]
    assert sessions.watched(other.watch_key) is other


def test_who_loses_its_process_is_displaced_and_has_not_left() -> None:
    sessions, here, there = Sessions(Events()), Network(), Network("network-1")
    for _ in range(3):
        begin(sessions, here)
    stays = begin(sessions, there)
    begin(sessions, here, watches=stays.number)
    sessions.lost(here, "process-died")
    assert (sessions.displaced, sessions.departed, sessions.viewers, sessions.watchers) == (3, 0, 1, 0)


def test_an_owner_that_comes_again_keeps_its_key() -> None:
    sessions, network = Sessions(Events()), Network()
    first = begin(sessions, network)
    second = begin(sessions, network, codec="", again=first.name)
    assert second.watch_key == first.watch_key
    assert sessions.watched(first.watch_key) is first  # the new one shows nothing yet
    sessions.opened(second, H264)
    assert sessions.watched(first.watch_key) is second
    sessions.forget(first, "ended")
    third = begin(sessions, network, again=first.name)
    sessions.forget(second, "ended")
    assert sessions.watched(first.watch_key) is third


def test_watchers_may_hope_for_a_lost_owner_but_not_for_one_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, network = Sessions(Events()), Network()
    left, lost = begin(sessions, network), begin(sessions, network)
    sessions.forget(left, "ended")
    sessions.forget(lost, "connection-lost")
    assert (sessions.is_missed(left.watch_key), sessions.is_missed(lost.watch_key)) == (False, True)
    assert (sessions.returns(left.name), sessions.returns(lost.name), sessions.returns("")) == (False, True, False)
    beginning = begin(sessions, network, codec="", again=lost.name)
    assert sessions.watched(lost.watch_key) is None
    assert sessions.is_missed(lost.watch_key)
    sessions.opened(beginning, H264)
    assert sessions.watched(lost.watch_key) is beginning
    monkeypatch.setattr(module, "MISSED_SECONDS", 0.0)
    sessions.forget(beginning, "connection-lost")
    assert not sessions.is_missed(lost.watch_key)


def test_what_is_remembered_of_the_lost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MISSED", 3)
    sessions, network = Sessions(Events()), Network()
    entries = [begin(sessions, network) for _ in range(5)]
    for entry in entries:
        sessions.forget(entry, "connection-lost")
    assert [sessions.is_missed(entry.watch_key) for entry in entries] == [False, False, True, True, True]


def test_another_gateway_learns_keys_and_watchers() -> None:
    before, network = Sessions(Events()), Network()
    first = begin(before, network)
    again = begin(before, network, again=first.name)
    watcher = begin(before, network, watches=again.number)
    before.forget(first, "ended")
    told = [{"facts": entry.facts.told(), "codec": H264} for entry in (watcher, again)]
    sessions = Sessions(Events())
    sessions.adopt(network, told, 7)
    found = sessions.watched(first.watch_key)
    assert found is not None
    assert (found.number, sessions.watchers_of(found), sessions.viewers, sessions.watchers) == (again.number, 1, 1, 1)
    assert begin(sessions, network).number == 8
