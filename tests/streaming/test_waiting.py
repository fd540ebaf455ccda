"""The line before a full host: order, bounds, tickets that are made up, estimates."""

from __future__ import annotations

import itertools

import pytest

from streaming.waiting import OFFERED, PATIENCE, RETRY, LineFull, Wait, WaitingRoom

SESSIONS = 10


def room(most: int = 100, each: int = 100) -> WaitingRoom:
    numbers = itertools.count(1)
    return WaitingRoom(most, each, lambda: f"t{next(numbers)}")


def wait(line: WaitingRoom, now: float, ticket: str = "", address: str | None = None, free: int = 0) -> Wait:
    told = line.enter(ticket, address, free, SESSIONS, now)
    assert told is not None
    return told


def test_positions_are_in_the_order_of_arrival_and_tickets_keep_them() -> None:
    line = room()
    tickets = [wait(line, 0.0).ticket for _ in range(3)]
    assert tickets == ["t1", "t2", "t3"]
    told = [wait(line, 1.0, ticket) for ticket in reversed(tickets)]
    assert [(one.ticket, one.position) for one in told] == [("t3", 3), ("t2", 2), ("t1", 1)]


def test_a_free_place_is_for_the_head_and_no_newcomer() -> None:
    line = room()
    first, second = wait(line, 0.0), wait(line, 0.0)
    assert wait(line, 1.0, free=1).position == 3
    assert wait(line, 1.0, second.ticket, free=1).position == 2
    assert line.enter(first.ticket, None, 1, SESSIONS, 1.5) is None
    assert [wait(line, 2.0, second.ticket).position, len(line)] == [1, 2]


def test_as_many_as_there_are_places_come_in_and_then_newcomers() -> None:
    line = room()
    first, second = wait(line, 0.0), wait(line, 0.0)
    assert line.enter(second.ticket, None, 2, SESSIONS, 1.0) is None
    assert wait(line, 1.0, free=1).position == 2
    assert line.enter(first.ticket, None, 3, SESSIONS, 1.0) is None
    assert line.enter("t3", None, 2, SESSIONS, 1.0) is None
    assert line.enter("", None, 1, SESSIONS, 1.0) is None
    assert len(line) == 0


def test_a_place_waits_for_the_head_only_for_a_moment() -> None:
    line = room()
    head, other = wait(line, 0.0), wait(line, 0.0)
    line.look(1, 1.0)
    due = RETRY + OFFERED
    assert wait(line, due - 0.1, other.ticket, free=1).position == 2
    assert line.enter(other.ticket, None, 1, SESSIONS, due + 0.1) is None
    assert wait(line, due + 0.2, head.ticket, free=0).position == 1  # it slept, and is still the first


def test_a_place_that_is_gone_again_is_offered_anew() -> None:
    line = room()
    wait(line, 0.0)
    line.look(1, 0.5)
    line.look(0, 1.0)
    line.look(1, RETRY + OFFERED)
    assert wait(line, RETRY + OFFERED + 1.0, free=1).position == 2


def test_a_ticket_that_is_not_renewed_is_lost() -> None:
    line = room()
    gone, kept = wait(line, 0.0), wait(line, 0.0)
    wait(line, 5.0, kept.ticket)
    line.look(0, PATIENCE * gone.retry + 0.1)
    assert (len(line), line.lost) == (1, 1)
    again = wait(line, 7.0, gone.ticket)
    assert (again.position, again.ticket) == (2, "t3")


@pytest.mark.parametrize("ticket", ["", "t0", "t1 ", "x" * 100_000, "\x00", "../t1", "\N{SNOWMAN}"])
def test_a_ticket_that_is_made_up_is_none(ticket: str) -> None:
    line = room()
    wait(line, 0.0)
    told = wait(line, 0.0, ticket)
    assert (told.position, told.ticket) == (2, "t2")
    assert not line.renews(ticket, 1.0)


def test_tickets_cannot_be_guessed_and_are_fit_for_an_address() -> None:
    line = WaitingRoom(100, 100)
    tickets = {wait(line, 0.0).ticket for _ in range(50)}
    assert len(tickets) == 50
    assert all(len(ticket) >= 16 and ticket.replace("-", "").replace("_", "").isalnum() for ticket in tickets)


def test_the_line_is_bounded() -> None:
    line = room(most=3)
    for _ in range(3):
        head = wait(line, 0.0)
    with pytest.raises(LineFull, match="3 viewers"):
        wait(line, 0.0)
    assert wait(line, 1.0, head.ticket).position == 3
    assert len(line) == 3


def test_one_address_cannot_fill_it() -> None:
    line = room(each=2)
    for host in ("2001:db8::1", "2001:db8::2"):
        wait(line, 0.0, address=host)
    with pytest.raises(LineFull, match="this address"):
        wait(line, 0.0, address="2001:db8::ffff:3")  # the same /64
    assert wait(line, 0.0, address="2001:db8:0:1::1").position == 3
    assert wait(line, 0.0, address="192.0.2.1").position == 4
    for _ in range(5):
        wait(line, 0.0)  # one that is not limited


def test_asking_in_time_is_no_hurry() -> None:
    line = room()
    told = wait(line, 0.0)
    assert not line.renews(told.ticket, 0.1)
    assert line.renews(told.ticket, float(told.retry))
    assert not line.renews(told.ticket, told.retry + 0.1)  # with whatever it asked for: once
    assert line.renews(told.ticket, told.retry + 1.0)
    assert not line.renews(told.ticket, 100.0)


def test_those_far_behind_ask_less_often() -> None:
    line = room()
    told = [wait(line, 0.0).retry for _ in range(50)]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (RETRY, 4 * RETRY)


def test_one_that_could_not_begin_is_the_first_again() -> None:
    line = room(each=1)
    head, other = wait(line, 0.0, address="192.0.2.1"), wait(line, 0.0)
    assert line.enter(head.ticket, "192.0.2.1", 1, SESSIONS, 1.0) is None
    line.put_back(head.ticket, "192.0.2.1", 1.0, 1.1)
    assert wait(line, 2.0, head.ticket).position == 1
    assert wait(line, 2.0, other.ticket).position == 2
    assert line.waited(head.ticket, 2.1) == pytest.approx(2.0)
    with pytest.raises(LineFull):
        wait(line, 2.0, address="192.0.2.1")


def test_the_estimate_begins_with_an_average_visit_and_follows_departures() -> None:
    line = room()
    assert wait(line, 0.0).seconds == pytest.approx(95 / SESSIONS, abs=1)
    for second in range(120):
        line.left(float(second))
    assert line.seconds(1, SESSIONS, 120.0) <= 2
    assert line.seconds(60, SESSIONS, 120.0) == pytest.approx(60, rel=0.15)
    assert line.seconds(1, SESSIONS, 10_000.0) > 60
    assert line.seconds(10**6, 1, 10_000.0) == 3600
