"""One direction of the emulated link, with times made up: what comes out when."""

from __future__ import annotations

import pytest

from benchmarks.conditions import Way
from benchmarks.shaping import Pipe

PACKET = bytes(1250)  # 10 000 bits


def _out(pipe: Pipe, until: float = 1e9) -> list[float]:
    return [round(due, 9) for due, _ in pipe.pop(until)]


def test_delay_alone_moves_everything_by_the_same() -> None:
    pipe = Pipe(Way(delay=0.04), 1)
    for now in (0.0, 0.001, 0.5):
        pipe.push(PACKET, now)
    assert pipe.due() == pytest.approx(0.04)
    assert not pipe.pop(0.0399)
    assert _out(pipe) == [0.04, 0.041, 0.54]
    assert pipe.due() is None


def test_a_rate_carries_one_packet_after_the_other() -> None:
    pipe = Pipe(Way(delay=0.1, rate=1e6), 1)
    for _ in range(3):
        pipe.push(PACKET, 2.0)
    pipe.push(PACKET, 2.5)
    assert _out(pipe) == [2.11, 2.12, 2.13, 2.61]
    assert pipe.tally.waited == pytest.approx(0.03)


def test_a_full_queue_drops_what_comes_last() -> None:
    pipe = Pipe(Way(rate=1e6, queue=0.05), 1)  # room for five packets
    for number in range(8):
        pipe.push(bytes([number]) + PACKET[1:], 0.0)
    assert [packet[0] for _, packet in pipe.pop(1.0)] == [0, 1, 2, 3, 4]
    assert pipe.tally.dropped == 3


def test_a_new_rate_holds_for_what_waits_already() -> None:
    pipe = Pipe(Way(rate=1e6, queue=1.0), 1)
    for _ in range(4):
        pipe.push(PACKET, 0.0)
    pipe.change(Way(rate=1e5, queue=1.0), 0.015)  # the second packet is half through: 5 ms left, now 50
    assert _out(pipe) == [0.01, 0.065, 0.165, 0.265]


def test_without_a_rate_what_waits_leaves_at_once() -> None:
    pipe = Pipe(Way(rate=1e5), 1)
    for _ in range(3):
        pipe.push(PACKET, 0.0)
    pipe.change(Way(delay=0.01), 0.05)
    assert _out(pipe) == [0.06, 0.06, 0.06]
    pipe.push(PACKET, 1.0)
    assert _out(pipe) == [1.01]


def test_loss_is_random_as_told_and_the_same_for_the_same_seed() -> None:
    def survivors(seed: int) -> list[bytes]:
        pipe = Pipe(Way(loss=0.1), seed)
        for number in range(5000):
            pipe.push(number.to_bytes(2, "big"), number / 1000)
        return [packet for _, packet in pipe.pop(10.0)]

    kept = survivors(3)
    assert 4400 < len(kept) < 4600
    assert survivors(3) == kept
    assert survivors(4) != kept


def test_jitter_never_reorders() -> None:
    pipe = Pipe(Way(delay=0.02, jitter=0.03), 5)
    for number in range(200):
        pipe.push(bytes([number]), number * 0.001)
    out = pipe.pop(10.0)
    assert [packet[0] for _, packet in out] == list(range(200))
    delays = [due - packet[0] * 0.001 for due, packet in out]
    assert min(delays) >= 0.02
    assert max(delays) <= 0.05
    assert max(delays) - min(delays) > 0.01


def test_a_queue_has_room_for_one_packet_whatever_it_is_told() -> None:
    pipe = Pipe(Way(rate=1e4, queue=0.001), 1)
    pipe.push(PACKET, 0.0)
    pipe.push(PACKET, 0.0)
    assert len(pipe.pop(10.0)) == 1
