"""What an invocation is about: uploads, out of S3's notifications, direct or wrapped. Parses; asks nothing of AWS.

S3 → Lambda, S3 → SQS → Lambda, S3 → SNS → SQS → Lambda and S3 → EventBridge (→ SQS) → Lambda are understood.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
_CREATED_DETAIL = "Object Created"
_MAX_SEQUENCER = 64


class EventError(Exception):
    """An event that this function does not understand: it is wired wrongly, which the dead letters have to show."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One object that was created. etag: without quotes. sequencer: grows with every change of one key; "" = unknown.

    time: of the upload, seconds since 1970, or None. version_id: "" in a bucket without versions.
    """

    bucket: str
    key: str
    etag: str = ""
    bytes: int | None = None
    version_id: str = ""
    sequencer: str = ""
    time: float | None = None

    def newer_than(self, sequencer: str) -> bool:
        """Whether this came after the upload of that sequencer. S3: fill up with zeros on the left, then compare."""
        return self.sequencer.rjust(_MAX_SEQUENCER, "0") > sequencer.rjust(_MAX_SEQUENCER, "0")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue. id: None when the function was called without one."""

    id: str | None
    body: Any


def messages(event: Any) -> list[Message]:
    """The messages of an event: a queue's, each to be answered for itself, or the event as the only one."""
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and records and all(_is_queued(record) for record in records):
        return [Message(str(record["messageId"]), record.get("body")) for record in records]
    return [Message(None, event)]


def uploads(body: Any) -> list[Upload]:
    """The uploads that a message tells of; none in S3's test message. Raises EventError."""
    return list(_uploads(body, depth=0))


def _is_queued(record: Any) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs" and "messageId" in record


def _uploads(body: Any, depth: int) -> Iterator[Upload]:
    if depth > 3:
        raise EventError("wrapped more than three times")
    if isinstance(body, str):
        yield from _uploads(_json(body), depth + 1)
    elif not isinstance(body, dict):
        raise EventError(f"a {type(body).__name__} where an event is expected")
    elif body.get("Event") == "s3:TestEvent":
        return
    elif body.get("Type") == "Notification" and "Message" in body:  # SNS
        yield from _uploads(body["Message"], depth + 1)
    elif "detail-type" in body:
        yield from _of_bridge(body)
    elif isinstance(body.get("Records"), list):
        for record in body["Records"]:
            yield from _of_record(record, depth)
    else:
        raise EventError("neither S3's notification nor EventBridge's, nor one of them in a message")


def _of_record(record: Any, depth: int) -> Iterator[Upload]:
    if isinstance(record, dict) and isinstance(record.get("Sns"), dict):
        yield from _uploads(record["Sns"].get("Message"), depth + 1)
        return
    try:
        if not str(record["eventName"]).startswith(_CREATED):
            return
        thing = record["s3"]["object"]
        upload = Upload(
            bucket=str(record["s3"]["bucket"]["name"]),
            key=unquote_plus(str(thing["key"]), errors="strict"),  # a form's encoding: '+' is a space
            etag=str(thing.get("eTag") or ""),
            bytes=_size(thing.get("size")),
            version_id=str(thing.get("versionId") or ""),
            sequencer=str(thing.get("sequencer") or "")[:_MAX_SEQUENCER],
            time=_time(record.get("eventTime")),
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise EventError(f"an S3 record that lacks something: {type(error).__name__}: {error}") from error
    yield upload


def _of_bridge(body: dict[str, Any]) -> Iterator[Upload]:
    if body["detail-type"] != _CREATED_DETAIL:
        return
    try:
        detail = body["detail"]
        thing = detail["object"]
        upload = Upload(
            bucket=str(detail["bucket"]["name"]),
            key=str(thing["key"]),  # EventBridge does not encode it
            etag=str(thing.get("etag") or ""),
            bytes=_size(thing.get("size")),
            version_id=str(thing.get("version-id") or ""),
            sequencer=str(thing.get("sequencer") or "")[:_MAX_SEQUENCER],
            time=_time(body.get("time")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError(f"an EventBridge event that lacks something: {type(error).__name__}: {error}") from error
    yield upload


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EventError(f"a message that is not JSON: {str(error)[:200]}") from error


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _time(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None
