"""The pacer with a clock and a timer of its own: what leaves at once, what is spread, what goes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from streaming.rtc.outgoing import BATCH, Outgoing, Picture
from streaming.rtc.pacer import BLOCKED_SECONDS, BURST, REPAIRS, TICK_LONGEST, TICK_SHORTEST, Limits, Pacer
from streaming.rtc.packets import Cut

SIZE = 1000


@dataclass(eq=False)
class Timer:
    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass(eq=False)
class World:
    """Time, timers and a socket that takes `room` packets."""

    rates: Limits = Limits(0.0, 0.0)
    room: float = float("inf")
    now: float = 100.0
    timers: list[Timer] = field(default_factory=list)
    out: list[tuple[float, int]] = field(default_factory=list)  # when, sequence number
    left: list[float] = field(default_factory=list)

    def pacer(self) -> Pacer:
        return Pacer(self, lambda: self.left.append(self.now), lambda: self.now, self.later)

    def limits(self) -> Limits:
        return self.rates

    def transmit(self, picture: Picture, count: int) -> int:
        first = picture.first + picture.left
        taken = self._take(range(first, first + count))
        picture.left += taken
        return taken

    def repeat(self, packets: Sequence[Outgoing]) -> int:
        return self._take([packet.sequence for packet in packets])

    def _take(self, sequences: Sequence[int]) -> int:
        assert 0 < len(sequences) <= BATCH
        taken = int(min(len(sequences), self.room))
        self.room -= taken
        self.out += [(self.now, sequence) for sequence in sequences[:taken]]
        return taken

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        assert TICK_SHORTEST <= seconds <= TICK_LONGEST
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    @property
    def armed(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.armed and self.armed[0].at <= end:
            timer = self.armed[0]
            timer.cancelled = True
            self.now = timer.at
            timer.call()
        self.now = end

    def sequences(self) -> list[int]:
        return [sequence for _, sequence in self.out]


def picture(count: int, first: int = 0) -> Picture:
    return Picture(97, first, 0, 1, [Cut(bytes(SIZE * count), 0, SIZE * count, SIZE, [b""] * count)])


def packets(count: int, first: int) -> list[Outgoing]:
    return [Outgoing(97, first + index, 0, 1, bytes(SIZE), 5) for index in range(count)]


def test_without_a_rate_everything_leaves_at_once_and_no_timer_runs() -> None:
    world = World()
    pacer = world.pacer()
    pacer.put(picture(100))
    assert world.sequences() == list(range(100))
    assert world.left == [100.0]
    assert not pacer.busy
    assert world.timers == []


def test_a_moving_picture_leaves_at_once_and_a_large_one_is_spread_at_the_rate() -> None:
    world = World(Limits(8_000_000.0, 1_000_000))
    pacer = world.pacer()
    pacer.put(picture(16))
    assert world.left == [100.0]
    world.now += 1
    pacer.put(picture(100))
    assert pacer.busy
    at_once = len(world.out) - 16
    assert BURST <= at_once * SIZE <= BURST + SIZE
    world.run(1)
    assert world.left[1] - 101 == pytest.approx((100 - at_once) * SIZE / 1e6, abs=0.01)
    assert world.sequences() == [*range(16), *range(100)]
    assert world.armed == []


def test_a_fast_stream_may_burst_forty_milliseconds() -> None:
    world = World(Limits(30_000_000.0, 20_000_000))
    world.pacer().put(picture(100))
    assert len(world.out) == 100


def test_repetitions_go_first_and_their_queue_is_bounded() -> None:
    world = World(Limits(800_000.0, 800_000))
    pacer = world.pacer()
    pacer.put(picture(40))
    before = len(world.out)
    pacer.repair(packets(REPAIRS + 50, first=1000))
    world.run(30)
    after = world.sequences()[before:]
    assert after == [*range(1000, 1000 + REPAIRS), *range(before, 40)]


def test_a_full_socket_is_tried_again_and_keeps_the_order() -> None:
    world = World(room=10)
    world.pacer().put(picture(30))
    assert (len(world.out), world.left) == (10, [])
    world.room = float("inf")
    world.run(0.01)
    assert world.sequences() == list(range(30))
    assert len(world.left) == 1


def test_a_socket_that_stays_full_loses_packets_as_a_network_would() -> None:
    world = World(room=0)
    pacer = world.pacer()
    pacer.put(picture(30))
    world.run(BLOCKED_SECONDS + 0.01)
    assert (world.out, len(world.left), world.armed) == ([], 1, [])
    world.room = float("inf")
    pacer.put(picture(2))
    assert world.sequences() == [0, 1]


def test_a_train_keeps_its_rate_counts_pictures_and_delays_none() -> None:
    world = World(Limits(80_000_000.0, 4_000_000))
    pacer = world.pacer()
    pacer.train(packets(10, first=500), 10 * SIZE, 4_000_000.0)
    assert len(world.out) == 1
    world.run(0.004)
    pacer.put(picture(4))
    assert [sequence for at, sequence in world.out if at == world.now][-4:] == [0, 1, 2, 3]
    world.run(0.1)
    times = [at for at, _ in world.out]
    assert len(world.out) == 10
    assert times[-1] - times[0] == pytest.approx(10 * SIZE * 8 / 4e6, abs=0.004)
    assert world.armed == []


def test_closing_drops_what_waits() -> None:
    world = World(Limits(800_000.0, 800_000))
    pacer = world.pacer()
    pacer.put(picture(40))
    pacer.close()
    before = len(world.out)
    world.run(1)
    assert len(world.out) == before
    assert not pacer.busy
