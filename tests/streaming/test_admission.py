"""Who is let in, from loads and times that the test makes up."""

from __future__ import annotations

import pytest

from streaming.admission import HOLD, LATE, RETURN_SECONDS, SETTLE, Admission, Load


def measured(admission: Admission, load: Load, *, start: float = 0.0, seconds: int = 30) -> float:
    """The same load once a second; the time after it."""
    for second in range(seconds):
        admission.observe(load, start + second)
    return start + seconds


def busy(moving: int, share: float = 0.08, sessions: int = 0, late: float = 0.0) -> Load:
    """Viewers that each need this share of the encoders and a quarter of it of the rest."""
    encode = min(1.0, share * moving)
    return Load(encode / 4, encode, encode / 4, late, 30.0 * moving, moving, sessions or moving)


def test_before_anything_is_measured_the_host_lets_in_but_not_everybody_at_once() -> None:
    admission = Admission(1000, 2)
    let_in = 0
    while admission.free(let_in, 0.0):
        admission.arrived(0.0)
        let_in += 1
    assert 20 < let_in < 200
    assert admission.free(let_in, SETTLE + 0.1) > 0


def test_free_is_how_many_are_let_in_one_after_the_other() -> None:
    admission = Admission(1000, 2)
    now = measured(admission, busy(moving=6, sessions=12))
    told, let_in = admission.free(12, now), 0
    while admission.free(12 + let_in, now):
        admission.arrived(now)
        let_in += 1
    assert let_in == told > 0


def test_a_host_full_of_moving_viewers_lets_nobody_in() -> None:
    admission = Admission(64, 4)
    now = measured(admission, busy(moving=9))
    assert admission.free(9, now) > 0
    now = measured(admission, busy(moving=12), start=now)
    assert admission.free(12, now) == 0
    assert admission.reason(12) == "load"


def test_a_host_full_of_viewers_at_rest_lets_in_up_to_its_places() -> None:
    admission = Admission(64, 4)
    now = measured(admission, busy(moving=2, share=0.08), seconds=60)
    for sessions in range(2, 64):
        now = measured(admission, Load(0.01, 0.01, 0.02, sessions=sessions), start=now, seconds=3)
        assert admission.free(sessions, now) > 0, sessions
        admission.arrived(now)
    assert admission.free(64, now) == 0
    assert admission.reason(64) == "sessions"


def test_the_first_are_let_in_whatever_the_load() -> None:
    admission = Admission(64, 4)
    now = measured(admission, Load(1.0, 1.0, 1.0, 1.0, 90.0, 3, 3))
    assert [admission.free(sessions, now) for sessions in range(6)] == [4, 3, 2, 1, 0, 0]


def test_late_pictures_close_the_host_before_it_is_busy_all_the_time() -> None:
    admission = Admission(64, 0)
    now = measured(admission, busy(moving=8, late=LATE * 1.2))
    assert admission.free(8, now) == 0


def test_pictures_that_are_late_while_little_is_to_do_close_nothing() -> None:
    admission = Admission(64, 0)
    now = measured(admission, busy(moving=2, late=0.5))
    assert admission.free(2, now) > 0


def test_pictures_beyond_what_was_promised_take_no_place() -> None:
    admission = Admission(64, 0)
    now = measured(admission, Load(encode=0.6, pictures=120.0, moving=2, sessions=2))  # at 60 a second each
    assert admission.free(2, now) >= 2
    now = measured(admission, Load(encode=0.6, pictures=30.0, moving=2, sessions=2), start=now)  # at 15
    assert admission.free(2, now) == 1
    now = measured(admission, Load(encode=1.0, pictures=100.0, moving=6, sessions=6), start=now)
    assert admission.free(6, now) == 0


def test_late_pictures_of_nobody_close_nothing() -> None:
    admission = Admission(64, 0)
    now = measured(admission, Load(late=1.0, moving=0, sessions=5))
    assert admission.free(5, now) > 0


@pytest.mark.parametrize("resource", ["render", "encode", "network"])
def test_each_resource_counts(resource: str) -> None:
    admission = Admission(64, 0)
    now = measured(admission, Load(**{resource: 0.97}, moving=10, sessions=10))
    assert admission.free(10, now) == 0


def test_it_opens_again_with_a_margin_and_not_at_once() -> None:
    admission = Admission(64, 0)
    measured(admission, busy(moving=10), seconds=20)
    admission.observe(busy(moving=10, late=1.0), 20.0)
    assert admission.free(10, 20.0) == 0
    for moment in (20.5, 21.0, 20.0 + HOLD - 0.1):
        admission.observe(Load(sessions=10), moment)
        assert admission.free(10, moment) == 0
    now = measured(admission, Load(sessions=10), start=20.0 + HOLD, seconds=8)
    assert admission.free(10, now) > 0


def test_what_hardly_fits_does_not_open_it_again() -> None:
    admission = Admission(64, 0)
    now = measured(admission, busy(moving=12))
    now = measured(admission, busy(moving=11, share=0.0772), start=now, seconds=60)
    assert admission.free(11, now) == 0
    now = measured(admission, busy(moving=10, share=0.0772), start=now, seconds=60)
    assert admission.free(10, now) > 0


def test_a_load_that_swings_about_the_limit_does_not_flap() -> None:
    admission = Admission(64, 0)
    measured(admission, busy(moving=11), seconds=30)
    states = []
    for second in range(30, 150):
        admission.observe(busy(moving=11 + second % 2), float(second))
        states.append(admission.free(11, float(second)) > 0)
    changes = sum(before != after for before, after in zip(states, states[1:], strict=False))
    assert changes <= 1


def test_newcomers_whose_load_does_not_show_yet_are_counted() -> None:
    admission = Admission(64, 0)
    now = measured(admission, busy(moving=9, sessions=9))
    first = admission.free(9, now)
    admission.arrived(now)
    assert admission.free(10, now) == first - 1
    assert admission.free(10, now + SETTLE + 0.1) == first


def test_handshakes_are_no_load_that_stays() -> None:
    joining, idle = Admission(64, 0), Admission(64, 0)
    for second in range(20):
        for _ in range(8):
            joining.arrived(float(second))
        for admission in (joining, idle):
            admission.observe(Load(network=0.8, moving=0, sessions=8 * second), second + 0.9)
    assert joining.busy["network"] < 0.1 < idle.busy["network"]


def test_viewers_of_a_process_that_died_come_back_whatever_the_load() -> None:
    admission = Admission(64, 0)
    now = measured(admission, busy(moving=14, late=0.5))
    assert admission.free(14, now) == 0
    admission.lost(3, now)
    assert [admission.free(11, now)] == [3]
    for left in (2, 1, 0):
        admission.arrived(now)
        assert admission.free(14 - left, now) == left
    admission.lost(3, now)
    assert admission.free(11, now + RETURN_SECONDS + 0.1) == 0


def test_returning_viewers_never_make_more_than_there_are_places() -> None:
    admission = Admission(4, 0)
    for second in range(50):
        admission.lost(1000, float(second))
    assert admission.free(1, 50.0) == 3
