"""Which packets are gone in every copy."""

from __future__ import annotations

from streaming.rtc.fates import Fates


def test_a_packet_is_gone_when_the_only_copy_is_missing() -> None:
    fates = Fates()
    fates.left(65_534, 4, 100)  # numbers 65534, 65535, 0, 1
    assert fates.gone([65_535, 1], {65_535, 1}.__contains__) == [101, 103]


def test_a_copy_on_its_way_or_arrived_is_waited_for() -> None:
    fates = Fates()
    fates.left(10, 2, 65_535)  # sequence numbers 65535, 0
    fates.left(12, 1, 0)  # the second one again
    assert fates.gone([10, 11], {10, 11}.__contains__) == [65_535]
    assert fates.gone([12], {10, 11, 12}.__contains__) == [0]


def test_each_is_named_once_and_strange_numbers_are_nothing() -> None:
    fates = Fates()
    fates.left(10, 1, 5)
    fates.left(11, 1, 5)
    assert fates.gone([10, 11, 999], lambda _: True) == [5]
    fates.clear()
    assert fates.gone([10], lambda _: True) == []
