"""What is remembered of packets: as many as fit, each in its place, and nothing that Python must look through."""

from __future__ import annotations

import gc
from math import inf

from streaming.congestion.feedback import TICK, Feedback
from streaming.congestion.history import CAPACITY, OVERHEAD, History

START = 0xFF00  # numbers wrap soon, and the ring's places before that


def filled(bursts: int, size: int = 7) -> tuple[History, int]:
    """A history of bursts of `size` packets, a second apart; and the number (without wrap) of the next."""
    history, following = History(), 0
    for index in range(bursts):
        first = history.sent(START + index * size & 0xFFFF, [100 + place for place in range(size)], float(index))
        following = first + size
    return history, following


def test_every_packet_keeps_its_own_facts_across_the_ends_of_the_ring_and_of_the_numbers() -> None:
    history, following = filled(2000)
    kept = history.packets(following - CAPACITY, following - 1)
    assert len(kept) == CAPACITY
    for back, (at, arrived, size) in enumerate(reversed(kept)):
        index, place = divmod(2000 * 7 - 1 - back, 7)
        assert (at, arrived, size) == (float(index), inf, 100 + place + OVERHEAD)


def test_what_no_longer_fits_is_forgotten() -> None:
    history, following = filled(2000)
    assert len(history.packets(0, following)) == CAPACITY
    assert history.misses(following - CAPACITY - 1 & 0xFFFF)
    assert not history.misses(following - CAPACITY & 0xFFFF)
    assert history.in_flight(1999.0) == 2 * sum(range(100 + OVERHEAD, 107 + OVERHEAD))  # of the last second


def test_a_gap_in_the_numbers_forgets_what_was_before() -> None:
    history, following = filled(10)
    first = history.sent(following + 5 & 0xFFFF, (200,), 10.0)
    assert first == following + 5
    assert history.packets(0, first) == [(10.0, inf, 200 + OVERHEAD)]
    assert history.in_flight(10.0) == 200 + OVERHEAD


def test_loss_and_late_arrivals_are_told_once() -> None:
    history, following = filled(1, size=3)
    base = following - 3 & 0xFFFF
    news = history.match(Feedback(base, 1000, (1001, None, 1003)))
    assert [arrived for _, arrived, _ in news.arrivals] == [1001 * TICK, 1003 * TICK]
    assert news.lost == [base + 1 & 0xFFFF]
    assert (news.newest, history.in_flight(0.0)) == (following - 1, 0)
    assert history.misses(base + 1 & 0xFFFF)
    again = history.match(Feedback(base, 1000, (1001, None, 1003)))
    assert (again.arrivals, again.lost, again.found) == ([], [], 0)
    late = history.match(Feedback(base + 1 & 0xFFFF, 1000, (1010,)))
    assert (late.found, late.arrivals) == (1, [(0.0, 1010 * TICK, 101 + OVERHEAD)])
    assert not history.misses(base + 1 & 0xFFFF)


def test_the_garbage_collector_has_nothing_to_look_through() -> None:
    """Thousands of objects a viewer once made it stop everybody's pictures for a tenth of a second."""
    history, following = filled(1)
    gc.collect()
    before = len(gc.get_objects())
    for index in range(500):
        history.sent(following + index * 7 & 0xFFFF, [100] * 7, 1.0)
    gc.collect()
    assert len(gc.get_objects()) - before < 50
