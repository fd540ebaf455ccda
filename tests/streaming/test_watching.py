"""What watchers get and what they may cost, with a clock and links of the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from streaming.ipc import Handler, Link, Packet
from streaming.watching import JOIN_SECONDS, RECOVER_SECONDS, UNSENT, Output, Watchers


@dataclass(eq=False)
class Alarm:
    at: float
    ring: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Wire(Link):
    """Remembers the packets."""

    def __init__(self) -> None:
        super().__init__(Handler())
        self.packets: list[Packet] = []

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)


@dataclass(eq=False)
class World:
    now: float = 0.0
    keys: list[float] = field(default_factory=list)  # when the owner's encoder was asked for one
    alarms: list[Alarm] = field(default_factory=list)
    wire: Wire = field(default_factory=Wire)
    made: int = 0

    def __post_init__(self) -> None:
        self.watchers = Watchers(lambda: self.keys.append(self.now), self.later, lambda: self.now)

    def later(self, delay: float, ring: Callable[[], None]) -> Alarm:
        self.alarms.append(Alarm(self.now + delay, ring))
        return self.alarms[-1]

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [alarm for alarm in self.alarms if alarm.at <= end and not alarm.cancelled]:
            first = min(due, key=lambda alarm: alarm.at)
            self.alarms.remove(first)
            self.now = first.at
            first.ring()
        self.now = end

    def join(self, session: int) -> None:
        self.watchers.join(Output(self.wire, session))
        self.watchers.connected(session)

    def picture(self, key: bool = False) -> int:
        """The owner's next; returns its timestamp."""
        self.made += 1
        self.watchers.put(Packet(1, self.made * 3000, self.made, key, b"picture %d" % self.made))
        return self.made * 3000

    def got(self, session: int) -> list[Packet]:
        return [packet for packet in self.wire.packets if packet.session == session]


def test_all_get_the_same_pictures_from_a_key_frame_on() -> None:
    world = World()
    world.picture()
    for session in (2, 3):
        world.join(session)
    world.picture()
    world.picture(key=True)
    world.picture()
    for session in (2, 3):
        assert [packet.data for packet in world.got(session)] == [b"picture 3", b"picture 4"]
    assert len(world.keys) == 1


def test_joining_while_nothing_moves_costs_the_owner_nothing() -> None:
    world = World()
    last = world.picture(key=True)
    world.advance(60.0)
    for session in range(2, 12):
        world.join(session)
        (packet,) = world.got(session)
        assert packet.key
        assert packet.data == b"picture 1"
        assert 0 < packet.timestamp - last < 90 * 20
    world.picture()
    assert [packet.data for packet in world.got(5)] == [b"picture 1", b"picture 2"]
    world.join(20)
    assert [packet.data for packet in world.got(20)] == [b"picture 1", b"picture 2"]
    stamps = [packet.timestamp for packet in world.got(20)]
    assert stamps == sorted(set(stamps))
    assert world.keys == []
    for _ in range(UNSENT):
        world.picture()
    world.join(21)
    assert (world.got(21), len(world.keys)) == ([], 1)


def test_nothing_is_sent_to_a_player_that_cannot_receive_yet() -> None:
    world = World()
    world.picture(key=True)
    world.watchers.join(Output(world.wire, 2))
    for _ in range(20):
        world.picture()
    world.advance(1.0)
    assert (world.got(2), world.keys) == ([], [])
    world.watchers.connected(2)
    assert world.keys == [1.0]
    world.picture()
    world.picture(key=True)
    world.picture()
    assert [packet.data for packet in world.got(2)] == [b"picture 23", b"picture 24"]


def test_many_who_join_share_key_frames() -> None:
    world = World()
    world.picture()
    for session in range(2, 102):
        world.join(session)
        world.advance(0.02)
    world.advance(JOIN_SECONDS)
    assert 2 <= len(world.keys) <= 2.0 / JOIN_SECONDS + 2
    assert all(b - a >= JOIN_SECONDS - 1e-9 for a, b in zip(world.keys, world.keys[1:], strict=False))


def test_a_request_that_came_too_soon_is_kept_until_it_may_be_made() -> None:
    world = World()
    world.picture()
    world.join(2)
    world.join(3)
    assert world.keys == [0.0]
    world.advance(JOIN_SECONDS)
    assert world.keys == [0.0, JOIN_SECONDS]


def test_a_key_frame_that_comes_anyway_serves_who_waits_for_one() -> None:
    world = World()
    world.picture()
    world.join(2)
    world.join(3)
    world.picture(key=True)
    world.advance(10.0)
    assert world.keys == [0.0]


def test_a_player_that_asks_and_asks_gets_a_key_frame_now_and_then() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    world.advance(RECOVER_SECONDS)
    for _ in range(1000):
        world.picture()
        world.watchers.key_wanted(2)
        world.watchers.acknowledge(2)
        world.advance(0.01)
    assert 1 <= len(world.keys) <= 10.0 / RECOVER_SECONDS + 1


def test_a_newcomer_that_missed_its_first_picture_gets_another_soon() -> None:
    world = World()
    world.picture()
    world.join(2)
    world.picture(key=True)
    for _ in range(UNSENT):
        world.picture()
        world.watchers.acknowledge(2)
    world.watchers.key_wanted(2)
    world.advance(JOIN_SECONDS)
    assert world.keys == [0.0, JOIN_SECONDS]


def test_one_that_joins_does_not_wait_for_the_patience_of_another() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    world.advance(10.0)
    for _ in range(UNSENT):
        world.picture()
        world.watchers.acknowledge(2)
    world.watchers.key_wanted(2)
    world.watchers.key_wanted(2)
    world.advance(0.1)
    world.join(3)
    world.advance(JOIN_SECONDS)
    assert world.keys == [10.0, pytest.approx(10.0 + JOIN_SECONDS)]
    world.advance(10.0)
    assert len(world.keys) == 2  # the one that joins was served together with the one that asked


def test_while_nothing_moves_a_player_that_asks_and_asks_costs_the_owner_nothing() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    for _ in range(100):
        world.watchers.key_wanted(2)
        world.watchers.acknowledge(2)
        world.advance(0.1)
    assert world.keys == []
    assert len(world.got(2)) == 101


def test_one_that_does_not_follow_skips_to_a_key_frame_and_holds_up_nobody() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    world.join(3)
    for _ in range(20):
        world.picture()
        world.watchers.acknowledge(3)
    assert len(world.got(2)) == UNSENT
    assert len(world.got(3)) == 21
    assert world.keys == []  # it is not asked for while it could not be sent
    for _ in range(UNSENT):
        world.watchers.acknowledge(2)
    assert len(world.keys) == 1
    world.picture()
    world.watchers.acknowledge(3)
    assert len(world.got(2)) == UNSENT
    world.picture(key=True)
    world.picture()
    assert [packet.data for packet in world.got(2)][UNSENT:] == [b"picture 23", b"picture 24"]


def test_a_process_that_reads_nothing_is_sent_nothing_more() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    for _ in range(100):
        world.picture(key=True)
    assert len(world.got(2)) == UNSENT


def test_what_was_skipped_at_the_end_of_a_movement_is_caught_up_with() -> None:
    world = World()
    world.picture(key=True)
    world.join(2)
    for _ in range(10):
        world.picture()
    final = world.picture(key=True)  # the refined one
    for _ in range(UNSENT):
        world.watchers.acknowledge(2)
    assert world.got(2)[-1].data == b"picture 12"
    assert world.got(2)[-1].timestamp > final
    assert world.keys == []


def test_whoever_left_is_forgotten() -> None:
    world = World()
    world.picture()
    world.join(2)
    world.watchers.leave(2)
    world.watchers.leave(2)
    world.watchers.key_wanted(2)
    world.watchers.acknowledge(2)
    world.picture(key=True)
    world.advance(10.0)
    assert (world.got(2), len(world.watchers), world.keys) == ([], 0, [0.0])
