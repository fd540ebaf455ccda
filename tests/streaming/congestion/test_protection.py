"""What is sent twice where packets are lost, and what is not."""

from __future__ import annotations

import pytest

from streaming.congestion.protection import Doubling, copies, opens
from tests.streaming.congestion.link import FRAME_RATE, Stream, losses, network


@pytest.mark.parametrize(("loss", "count"), [(0.0, 1), (0.004, 1), (0.01, 2), (0.049, 2), (0.05, 3), (0.5, 3)])
def test_copies_of_a_repetition(loss: float, count: int) -> None:
    assert copies(loss) == count


def test_pictures_are_sent_twice_from_some_loss_on_until_much_less() -> None:
    doubling, found = Doubling(), []
    for loss in (0.014, 0.05, 0.014, 0.009, 0.014):
        doubling.follow(loss)
        found.append(doubling.wanted)
    assert found == [False, True, True, False, False]


def test_the_first_pictures_after_a_rest_are_sent_twice_where_that_takes_no_time() -> None:
    assert [opens(12_000, ordinal, 4e6) for ordinal in range(5)] == [True, True, True, False, False]
    assert not opens(12_000, 0, 1e6)


def test_room_is_left_for_the_second_copy_but_not_on_narrow_paths() -> None:
    doubling = Doubling()
    assert doubling.share(4e6) == 1.0
    doubling.follow(0.05)
    assert doubling.share(4e6) == 0.5
    assert doubling.share(1.5e6) == 0.5
    assert doubling.share(1e6) == 0.75
    assert doubling.share(0.5e6) == 1.0


@pytest.mark.parametrize(("share", "twice"), [(0.001, False), (0.1, True)])
def test_a_controller_says_so_from_what_the_player_reports(share: float, twice: bool) -> None:
    loop, link, controller = network(20e6, delay=0.04, lost=losses(share))
    Stream(loop, link, controller, most=1e6)
    loop.run(5.0)
    assert controller.doubles(10_000, 50, 5.0) is twice
    assert (controller.copies > 1) is twice


@pytest.mark.parametrize(("share", "parts"), [(0.0, 1), (0.1, 2)])
def test_a_stream_that_takes_all_it_is_given_is_still_sent_twice(share: float, parts: int) -> None:
    """The encoder is given half, so that both copies fit what the path carries."""
    loop, link, controller = network(4e6, delay=0.04, lost=losses(share))
    stream = Stream(loop, link, controller)
    loop.run(12.0)
    assert controller.target <= controller.estimate / parts
    twice = sum(when > 2 for when in stream.doubled) / (FRAME_RATE * 10)
    assert twice >= 0.9 if parts == 2 else twice == 0
