"""What the text of `--network` means."""

from __future__ import annotations

import pytest

from benchmarks.conditions import Conditions, Way, conditions_from, parse
from benchmarks.errors import UsageError


def test_both_directions_unless_one_is_named() -> None:
    (moment,) = parse("loss=2%, delay=40ms, rate=2mbit, queue=300ms")
    way = Way(delay=0.04, loss=0.02, rate=2e6, queue=0.3)
    assert moment.at == 0
    assert moment.conditions == Conditions(way, way)
    (moment,) = parse("down.rate=2mbit,up.rate=500kbit,up.loss=1.5%")
    assert (moment.conditions.down.rate, moment.conditions.up.rate) == (2e6, 5e5)
    assert (moment.conditions.down.loss, moment.conditions.up.loss) == (0.0, 0.015)


def test_a_change_keeps_what_it_does_not_name() -> None:
    first, second, third = parse("rate=4mbit,delay=20ms;8s:rate=1mbit;18500ms:rate=none,loss=1%")
    assert [moment.at for moment in (first, second, third)] == [0, 8, 18.5]
    assert [moment.conditions.down.rate for moment in (first, second, third)] == [4e6, 1e6, 0]
    assert all(moment.conditions.up.delay == 0.02 for moment in (first, second, third))
    assert third.conditions.up.loss == 0.01


def test_the_queue_is_time_or_bytes() -> None:
    assert parse("rate=8mbit,queue=100ms")[0].conditions.down.room == 100_000
    assert parse("rate=8mbit,queue=64kb")[0].conditions.down.room == 64_000
    assert parse("rate=8mbit,queue=64kb;1s:queue=50ms")[1].conditions.down.room == 50_000


def test_conditions_survive_json() -> None:
    conditions = parse("up.loss=2%,down.rate=1mbit,jitter=5ms")[0].conditions
    assert conditions_from(conditions.to_json()) == conditions


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "none of delay"),
        ("loss=2", "units %"),
        ("loss=101%", "more than 100%"),
        ("delay=40", "units us, ms, s"),
        ("delay=90s", "more than 60s"),
        ("rate=2mb", "units bit, kbit"),
        ("rate=100bit", "less than 8kbit"),
        ("speed=2mbit", "none of delay"),
        ("side.rate=2mbit", "none of delay"),
        ("3s:rate=2mbit", "from the start"),
        ("rate=2mbit;rate=1mbit", "needs a time"),
        ("rate=2mbit;9s:rate=1mbit;8s:rate=2mbit", "time after 9s"),
        ("rate=2mbit;x:rate=1mbit", "time='x'"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text)
