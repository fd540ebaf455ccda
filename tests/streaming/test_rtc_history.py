"""What is kept for repetition and how often it is repeated: bounded, whatever a player asks."""

from __future__ import annotations

import random

from streaming.rtc.history import BURST, LEAST_BURST, LEAST_RATE, PACKETS, SHARE, History, Repetition
from streaming.rtc.outgoing import Outgoing, Picture
from streaming.rtc.packets import Cut


def packet(sequence: int, size: int = 100) -> Outgoing:
    return Outgoing(97, sequence & 0xFFFF, 0, 1, bytes(size))


def picture(first: int, count: int, size: int = 100) -> Picture:
    """One that has left."""
    body = b"".join(bytes([index & 0xFF]) * size for index in range(count))
    made = Picture(97, first & 0xFFFF, 0, 1, [Cut(body, 0, len(body), size, [b""] * count)])
    made.left = count
    return made


def test_packets_are_found_until_newer_ones_take_their_place_also_across_the_wrap() -> None:
    history = History()
    for first in range(65_000, 65_000 + 3 * PACKETS, 10):
        history.put(picture(first, 10))
    newest = 65_000 + 3 * PACKETS // 10 * 10 + 9
    kept = [s for s in range(newest - 2 * PACKETS, newest + 5) if history.find(s & 0xFFFF) is not None]
    assert len(kept) < PACKETS + 10  # a picture is forgotten as a whole
    assert kept[-1] - kept[0] + 1 == len(kept)
    assert history.find(64_999) is None
    assert len(kept) >= PACKETS


def test_the_newest_are_found_by_their_bytes_and_all_can_be_forgotten() -> None:
    history = History()
    for first in range(65_500, 65_600, 20):
        history.put(picture(first, 20, 1000))
    assert [found.sequence for found in history.newest(2500)] == [63, 62, 61]
    assert len(history.newest(10**6)) == 100
    history.clear()
    assert (history.find(63), history.newest(1)) == (None, [])


def test_a_packet_is_repeated_at_most_once_a_round_trip() -> None:
    repetition = Repetition()
    for _ in range(60):
        repetition.measured(0.08)
    times = [index * 0.005 for index in range(200)]  # asked for every 5 ms, for a second
    answered = [at for at in times if repetition.allows(packet(7), at, 4e6)]
    assert answered[0] == 0.0
    assert 12 <= len(answered) <= 17


def test_a_storm_of_requests_is_answered_within_the_budget() -> None:
    repetition, rng, target, seconds = Repetition(), random.Random(4), 4e6, 5.0
    octets = 0
    for index in range(20_000):
        asked = packet(rng.randrange(PACKETS), 1150)
        octets += 1150 if repetition.allows(asked, index * seconds / 20_000, target) else 0
    assert octets <= BURST + SHARE * target / 8 * seconds
    assert octets > SHARE * target / 8 * seconds / 2
    assert repetition.allows(packet(1, 10), 99.0, 0.0)
    assert LEAST_RATE > 0


def test_a_narrow_path_is_not_filled_with_repetitions() -> None:
    repetition, target = Repetition(), 200_000.0
    answered = [repetition.allows(packet(index, 1150), 1.0, target) for index in range(80)]
    assert sum(answered) * 1150 <= LEAST_BURST
    assert repetition.exhausted
    assert repetition.allows(packet(90, 1150), 1.5, target)
    assert not repetition.exhausted


def test_losses_named_by_a_list_come_back() -> None:
    lost = [random.Random(9).random() < 0.1 for _ in range(500)]
    history, repetition = History(), Repetition()
    for first in range(0, 500, 20):
        history.put(picture(first, 20, 1150))
    wanted = [sequence for sequence, gone in enumerate(lost) if gone]
    found = [history.find(sequence) for sequence in wanted]
    again = [f.sequence for f in found if f is not None and repetition.allows(f, 1.0, 4e6)]
    assert again == wanted
    assert [history.find(sequence).payload[0] for sequence in wanted] == [s % 20 for s in wanted]  # type: ignore[union-attr]


def test_of_a_picture_that_is_leaving_only_what_has_left_is_found() -> None:
    history, leaving = History(), picture(65_530, 12)
    leaving.left = 5
    history.put(leaving)
    assert [number for number in range(65_536) if history.find(number) is not None] == [*range(65_530, 65_535)]
    leaving.left = 12
    history.put(leaving)
    assert history.find(5) is not None
    assert (history.find(6), history.find(65_529)) == (None, None)
    assert len(history.newest(10**6)) == 12
