"""What a reading carries: a budget that is charged before memory is taken, warnings that cannot pile up, typed JSON."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import FormatError, LimitError
from renderer.gltf.item import Item, clean, show
from renderer.gltf.reading import Warnings
from renderer.limits import Budget, Limits


def test_a_budget_sums_and_says_what_was_too_much() -> None:
    budget = Budget(Limits(vertices=10))
    budget.take("vertices", 6, "the first")
    budget.take("vertices", 4, "the second")
    with pytest.raises(LimitError, match="^the third needs 1 vertices, 11 in all; at most 10 are allowed$"):
        budget.take("vertices", 1, "the third")
    assert budget.used("vertices") == 10


def test_a_claim_of_a_thousand_digits_is_one_short_line() -> None:
    with pytest.raises(LimitError) as caught:
        Budget(Limits()).take("array_bytes", 10**1000, "accessors[0]")
    assert len(str(caught.value)) < 150


def test_warnings_come_once_and_are_bounded() -> None:
    warnings = Warnings()
    for i in range(60):
        warnings.add(f"line {i}")
        warnings.add(f"line {i}")
    lines = warnings.lines()
    assert len(lines) == 51
    assert lines[-1] == "and more warnings"


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda i: i.integer("text"), "text is 'abc', a whole number from 0 is needed"),
        (lambda i: i.integer("half"), "half is 0.5"),
        (lambda i: i.integer("yes"), "yes is True"),
        (lambda i: i.integer("gone"), "gone is missing, a whole number from 0 is needed"),
        (lambda i: i.integer("seven", maximum=6), "seven is 7, a whole number from 0 to 6 is needed"),
        (lambda i: i.number("huge"), "huge is 1e\\+300, a finite number is needed"),
        (lambda i: i.number("list"), "list is a JSON array, a finite number"),
        (lambda i: i.numbers("list", 2), r"list is \[1, 'x', 3\], 2 finite numbers are needed"),
        (lambda i: i.boolean("seven"), "seven is 7, true or false is needed"),
        (lambda i: i.string("seven"), "seven is 7, a string is needed"),
        (lambda i: i.strings("list"), "list is a JSON array, an array of strings is needed"),
        (lambda i: i.choice("text", ("a", "b")), "text is 'abc', one of a, b is needed"),
        (lambda i: i.child("list"), r"list is a JSON array, a JSON object is needed"),
        (lambda i: i.items("list"), r"list\[0\] is 1, a JSON object is needed"),
        (lambda i: i.index("seven", "things"), "seven is 7, but there are only 0 things"),
        (lambda i: i.integers("list"), "whole numbers from 0 are needed"),
    ],
)
def test_every_read_names_the_place_the_value_and_what_is_allowed(read: Any, message: str) -> None:
    values = {"text": "abc", "half": 0.5, "yes": True, "seven": 7, "huge": 1e300, "list": [1, "x", 3], "none": None}
    with pytest.raises(FormatError, match=message):
        read(Item(values))


def test_defaults_stand_in_for_what_is_missing_or_null() -> None:
    item = Item({"none": None, "whole": 3.0})
    assert (item.integer("none", 4), item.number("gone", 0.5), item.string("none", "x")) == (4, 0.5, "x")
    assert (item.items("gone"), item.count("none"), item.child("none").values) == ([], 0, {})
    assert item.integer("whole") == 3


def test_shown_values_are_short_and_plain() -> None:
    assert len(show("x" * 1000)) == 60
    assert show({"a": 1}) == "a JSON object"
    assert clean("tab\there\u2028") == "tab here "
