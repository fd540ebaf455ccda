"""The estimate on emulated links: it finds the rate, follows it, and does not see congestion where there is none."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from streaming.congestion import Controller, FeedbackError
from streaming.congestion.history import CAPACITY
from tests.streaming.congestion.link import Link, Stream, losses, network

START, LEAST, MOST = 4_000_000, 200_000, 12_000_000


@pytest.mark.parametrize("rate", [10e6, 4e6, 1e6, 0.3e6])
def test_a_steady_link_is_filled_and_its_queue_stays_short(rate: float) -> None:
    loop, link, controller = network(rate)
    stream = Stream(loop, link, controller)
    loop.run(10.0)
    link.worst = 0.0
    loop.run(25.0)
    assert 0.8 * rate <= stream.received(10, 25) <= rate
    assert link.worst < 0.2
    assert link.dropped == 0


def test_a_wide_link_is_used_from_the_first_picture() -> None:
    loop, link, controller = network(50e6)
    stream = Stream(loop, link, controller, most=2e6)
    loop.run(5.0)
    assert min(target for _, target, _ in stream.log) >= 0.9 * START
    assert stream.probes == 0  # nothing is wanted that is not had


@pytest.mark.parametrize("most", [20e6, 3e6])
def test_a_step_down_and_up_again(most: float) -> None:
    loop, link, controller = network(lambda now: 1e6 if 5 <= now < 12 else 4e6)
    stream = Stream(loop, link, controller, most=most)
    loop.run(5.0)
    link.worst = 0.0
    loop.run(12.0)
    assert link.worst < 0.5  # two round trips of 4 Mb/s into 1 Mb/s cannot be taken back
    assert 0.75e6 <= stream.received(7, 12) <= 1e6
    link.worst = 0.0
    loop.run(20.0)
    assert stream.estimate(15, 20) >= 0.8 * 4e6
    assert link.worst < 0.3
    assert link.dropped == 0


def test_a_step_up_is_found_whenever_it_comes() -> None:
    """Trains are 1.4 s apart at most, and a drag of five seconds may see any part of that."""
    for offset in range(10):
        up = 9 + offset * 0.17
        loop, link, controller = network(lambda now, up=up: 1e6 if 3 <= now < up else 4e6)
        stream = Stream(loop, link, controller)
        loop.run(up + 4)
        assert stream.estimate(up + 3, up + 4) >= 0.8 * 4e6, f"step at {up} s"


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_random_loss_is_not_congestion(share: float) -> None:
    loop, link, controller = network(4e6, delay=0.04, lost=losses(share))
    stream = Stream(loop, link, controller)
    loop.run(20.0)
    assert stream.estimate(5, 20) >= 0.75 * 4e6
    assert stream.received(5, 20) >= 0.6 * 4e6  # room is left for retransmissions
    assert controller.loss == pytest.approx(share, abs=0.05)


def test_random_loss_on_a_wide_link_changes_nothing() -> None:
    loop, link, controller = network(50e6, delay=0.04, lost=losses(0.1))
    stream = Stream(loop, link, controller, most=3e6)
    loop.run(20.0)
    assert min(estimate for _, _, estimate in stream.log) == START


def test_a_policer_without_a_queue_is_congestion() -> None:
    """What exceeds the rate is dropped at once: only loss tells."""
    loop, link, controller = network(1e6, room=4_000)
    stream = Stream(loop, link, controller)
    loop.run(15.0)
    assert stream.estimate(5, 15) <= 1.3e6
    assert stream.received(5, 15) >= 0.7e6


def test_two_streams_share() -> None:
    loop, link, controller = network(4e6)
    first = Stream(loop, link, controller)
    loop.run(10.0)
    second = Stream(loop, link, Controller(START, LEAST, MOST, clock=lambda: loop.now), seed=5)
    loop.run(60.0)
    one, other = first.received(30, 60), second.received(30, 60)
    assert max(one, other) < 3 * min(one, other)
    assert one + other >= 0.7 * 4e6


def test_rest_lowers_nothing_and_the_first_pictures_after_it_are_no_delay() -> None:
    """The player's clock drifts by 100 ppm: 6 ms in a minute of rest."""
    loop, link, controller = network(3e6)
    stream = Stream(loop, link, controller, moves=lambda now: now % 65 < 5, drift=100e-6)
    loop.run(5.0)
    before = controller.estimate
    loop.run(64.9)
    assert controller.estimate >= before * 0.99
    loop.run(66.0)
    assert stream.received(65.2, 66) >= 0.75 * 3e6


def test_ten_seconds_of_rest_then_a_drag_at_the_old_rate() -> None:
    loop, link, controller = network(2e6)
    stream = Stream(loop, link, controller, moves=lambda now: now < 5 or now >= 15)
    loop.run(20.0)
    assert stream.received(15.2, 17) >= 0.75 * 2e6


def test_nothing_is_probed_at_rest() -> None:
    loop, link, controller = network(1e6)
    Stream(loop, link, controller, moves=lambda now: now < 5)
    loop.run(5.0)
    assert controller.estimate < START
    assert controller.probe(6.0) is None


def test_refined_pictures_do_not_lower_the_rate() -> None:
    """60 kB at the end of each drag, paced: a queue for a moment, which the link then proves to carry."""
    loop, link, controller = network(4e6)
    stream = Stream(loop, link, controller, moves=lambda now: now % 3 < 2, most=1.5e6)
    stream.large = [(3 * i + 1.95, 60_000) for i in range(10)]
    loop.run(30.0)
    assert stream.estimate(5, 30) >= 0.8 * 4e6


@pytest.mark.parametrize("reorder", [False, True])
def test_jitter_is_not_congestion(reorder: bool) -> None:
    loop, link, controller = network(50e6, jitter=0.02, reorder=reorder)
    stream = Stream(loop, link, controller, most=2e6)
    loop.run(20.0)
    assert stream.estimate(0, 20) == START


def paused(every: float, length: float) -> Callable[[float], float]:
    """Nothing leaves in the last `length` of each `every` seconds."""
    return lambda now: now if now % every < every - length else now - now % every + every


@pytest.mark.parametrize(("every", "length"), [(1.3, 0.15), (2.7, 0.3)])
def test_pauses_are_no_narrow_link(every: float, length: float) -> None:
    """A radio that hands over, a player that was busy: what waited comes at once afterwards."""
    loop, link, controller = network(50e6, pauses=paused(every, length))
    stream = Stream(loop, link, controller, most=2e6)
    loop.run(30.0)
    assert stream.estimate(0, 30) >= 0.9 * START
    assert min(estimate for _, _, estimate in stream.log) >= 0.5 * START


def test_pauses_of_a_link_that_is_full() -> None:
    loop, link, controller = network(4e6, pauses=paused(1.3, 0.15))
    stream = Stream(loop, link, controller)
    loop.run(30.0)
    assert stream.received(5, 30) >= 0.6 * 4e6


def test_a_longer_way_is_no_queue() -> None:
    loop, link, controller = network(4e6)
    stream = Stream(loop, link, controller, most=2e6)
    loop.at(5.0, lambda: setattr(link, "delay", 0.1))
    loop.run(20.0)
    assert controller.queue < 0.03
    assert stream.estimate(12, 20) >= 0.8 * 4e6


def test_lost_feedback_and_overtaking_packets() -> None:
    loop, link, controller = network(4e6, delay=0.04, jitter=0.01, reorder=True)
    stream = Stream(loop, link, controller, reports_lost=losses(0.3))
    loop.run(20.0)
    assert stream.estimate(5, 20) >= 0.75 * 4e6
    assert controller.loss < 0.02  # packets that nothing was said about are not lost
    assert link.dropped == 0


def test_a_large_first_picture_does_not_wait_for_news() -> None:
    controller = Controller(START, LEAST, MOST, clock=lambda: 0.0)
    assert controller.pacing == 40_000_000
    assert controller.target == START


def test_nothing_is_spread_for_a_player_nearby() -> None:
    loop, link, controller = network(1e9, delay=0.0001)
    Stream(loop, link, controller, report_every=0.05)
    controller.report(0.0, 0.0008, 0.0)
    loop.run(2.0)
    assert controller.pacing == 0.0


def test_what_is_on_its_way_without_news_slows_the_encoder_down_for_a_moment_only() -> None:
    now = 0.0
    controller = Controller(START, LEAST, MOST, clock=lambda: now)
    for number in range(200):
        controller.sent(number, 1200, 0.0)
    assert controller.target < START / 4
    now = 2.0  # the news was lost, or there never will be any
    assert controller.target == START


def test_a_player_without_transport_wide_feedback_is_followed_by_its_estimates() -> None:
    controller = Controller(START, LEAST, MOST, clock=lambda: 10.0)
    for i in range(20):
        controller.spent(50_000, i * 0.1)
    controller.remb(5_000_000, 2.0)
    assert controller.target == 5_000_000
    controller.remb(1_000_000, 2.1)
    assert controller.target == 1_000_000
    controller.report(0.1, 0.05, 2.2)
    assert controller.target == 1_000_000
    controller.report(0.5, 0.05, 2.3)
    assert controller.target == 750_000


def test_with_transport_wide_feedback_estimates_of_the_player_do_not_count() -> None:
    loop, link, controller = network(4e6)
    Stream(loop, link, controller, most=1e6)
    loop.run(2.0)
    before = controller.target
    controller.remb(300_000, 2.0)
    assert controller.target == before


def test_nonsense_changes_nothing() -> None:
    loop, link, controller = network(4e6)
    Stream(loop, link, controller)
    loop.run(2.0)
    before = controller.estimate
    with pytest.raises(FeedbackError):
        controller.feedback(b"\0\1", 2.0)
    far = struct.pack("!HHIHBx", 12_345, 1, 0, 0x2001, 3)  # a packet that was never sent
    controller.feedback(far, 2.0)
    assert controller.estimate == pytest.approx(before, rel=0.01)


def test_memory_is_bounded() -> None:
    controller = Controller(START, LEAST, MOST, clock=lambda: 0.0)
    for number in range(4 * CAPACITY):
        controller.sent(number & 0xFFFF, 1200, number * 1e-6)
    assert controller._history.in_flight(0.0) <= CAPACITY * 1300


def test_a_lying_player_stays_within_the_bounds() -> None:
    """Everything arrives at once, whatever is sent: the estimate ends where the settings say."""
    loop, link, controller = network(1e9)
    stream = Stream(loop, link, controller, most=50e6)
    loop.run(20.0)
    assert stream.estimate(19, 20) <= MOST
    assert controller.pacing <= 10 * MOST


def test_two_runs_are_the_same() -> None:
    def run() -> list[tuple[float, float, float]]:
        loop, link, controller = network(2e6, lost=losses(0.05), jitter=0.005)
        stream = Stream(loop, link, controller)
        loop.run(5.0)
        return stream.log

    assert run() == run()


def test_the_link_of_these_tests_carries_its_rate() -> None:
    loop, _, _ = network(1e6)
    arrived: list[float] = []
    link = Link(loop, lambda _: 1e6, delay=0.02, room=12_000)
    for _ in range(20):
        link.send(1000, arrived.append)
    loop.run(1.0)
    assert link.dropped == 8
    assert arrived == pytest.approx([0.02 + 0.008 * (i + 1) for i in range(12)])
