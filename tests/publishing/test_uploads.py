"""Events of every way from S3 to the function say which upload they are about."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.functions.ingest.uploads import EventError, Upload, messages, uploads
from tests.publishing.events import bridge, first_message, notification, queued, s3_record, topic

KEY = "neue möbel/100% Sessel + Tisch (2).glb"


@pytest.mark.parametrize(
    "wrap",
    [
        notification,
        lambda record: topic(notification(record)),
        lambda record: {"Records": [{"EventSource": "aws:sns", "Sns": topic(notification(record))}]},
    ],
    ids=["s3", "sns in a queue", "sns"],
)
def test_a_record_of_s3(wrap: Any) -> None:
    record = s3_record("b", KEY, etag="e1", sequencer="0055", version="v1", size=7, time="2026-01-31T12:00:00.000Z")
    assert uploads(wrap(record)) == [Upload("b", KEY, "e1", 7, "v1", "0055", 1769860800.0)]


def test_an_event_of_the_bridge_is_not_url_encoded() -> None:
    found = uploads(bridge("b", "100%+1.glb", etag="e1", sequencer="0055", version="v1"))
    assert found == [Upload("b", "100%+1.glb", "e1", 10, "v1", "0055", 1769860800.0)]


def test_several_records_and_other_events() -> None:
    gone = s3_record("b", "c", name="ObjectRemoved:Delete")
    found = uploads(notification(s3_record("b", "a"), gone, s3_record("b", "d", name="ObjectCreated:Copy")))
    assert [one.key for one in found] == ["a", "d"]
    assert uploads({"detail-type": "Object Deleted", "detail": {}}) == []
    assert uploads(first_message()) == []
    assert uploads('{"Records": []}') == []


def test_messages_of_a_queue_are_answered_one_by_one() -> None:
    assert [one.id for one in messages(queued({}, {}))] == ["m0", "m1"]
    event = notification(s3_record("b", "a"))
    assert [(one.id, one.body) for one in messages(event)] == [(None, event)]


@pytest.mark.parametrize(
    "body",
    [
        None,
        7,
        {},
        "not JSON",
        '"' * 3,
        {"Records": [7]},
        {"Records": [{"Sns": "text"}]},
        {"Records": [{"Sns": {}}]},
        {"Records": [{"eventName": "ObjectCreated:Put"}]},
        {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}}]},
        {"detail-type": "Object Created"},
        topic(topic(topic(topic(first_message())))),
        "[" * 100_000,
    ],
)
def test_what_is_no_event_is_an_error_of_its_own(body: Any) -> None:
    with pytest.raises(EventError):
        uploads(body)


@pytest.mark.parametrize(
    ("a", "b", "newer"), [("0055AED6DCD90281E5", "0055AED6DCD90281E4", True), ("1", "0F", False), ("A", "A", False)]
)
def test_sequencers_tell_the_order(a: str, b: str, newer: bool) -> None:
    assert Upload("b", "k", sequencer=a).newer_than(b) is newer
