"""What is sent twice where packets are lost, and what is not."""

from __future__ import annotations

import pytest

from streaming.congestion.protection import copies, doubles
from tests.streaming.congestion.link import Stream, losses, network


@pytest.mark.parametrize(("loss", "count"), [(0.0, 1), (0.004, 1), (0.01, 2), (0.049, 2), (0.05, 3), (0.5, 3)])
def test_copies_of_a_repetition(loss: float, count: int) -> None:
    assert copies(loss) == count


def test_pictures_are_sent_twice_only_where_there_is_loss_and_room() -> None:
    assert doubles(0.05, used=1e6, estimate=4e6)
    assert not doubles(0.02, used=1e6, estimate=4e6)
    assert not doubles(0.05, used=3.9e6, estimate=4e6)


@pytest.mark.parametrize(("share", "twice"), [(0.001, False), (0.1, True)])
def test_a_controller_says_so_from_what_the_player_reports(share: float, twice: bool) -> None:
    loop, link, controller = network(20e6, delay=0.04, lost=losses(share))
    Stream(loop, link, controller, most=1e6)
    loop.run(5.0)
    assert controller.doubles(5.0) is twice
    assert (controller.copies > 1) is twice
