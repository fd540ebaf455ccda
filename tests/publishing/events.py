"""Events as S3, SNS, SQS and EventBridge send them to a Lambda function, member for member."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus


def s3_record(bucket: str, key: str, *, etag: str = "", sequencer: str = "", version: str = "", **more: Any) -> Any:
    """One record of S3's notification, version 2.1. more: `name` of the event, `time`, `size`."""
    thing = {"key": quote_plus(key, safe="/"), "size": more.get("size", 10), "eTag": etag, "sequencer": sequencer}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": more.get("time", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        "eventName": more.get("name", "ObjectCreated:Put"),
        "userIdentity": {"principalId": "AWS:EXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL1"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {**thing, **({"versionId": version} if version else {})},
        },
    }


def notification(*records: Any) -> Any:
    """S3's notification."""
    return {"Records": list(records)}


def queued(*bodies: Any) -> Any:
    """What Lambda gets from a queue: messages m0, m1 …"""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def topic(body: Any) -> Any:
    """A message of SNS in a queue without raw delivery."""
    about = {"Type": "Notification", "MessageId": "95df01b4", "TopicArn": "arn:aws:sns:eu-central-1:1234:uploads"}
    return {**about, "Subject": "Amazon S3 Notification", "Message": json.dumps(body)}


def bridge(bucket: str, key: str, *, etag: str = "", sequencer: str = "", version: str = "") -> Any:
    """EventBridge's event of an object."""
    thing = {"key": key, "size": 10, "etag": etag, "sequencer": sequencer}
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-01-31T12:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {**thing, **({"version-id": version} if version else {})},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


def first_message() -> Any:
    """What S3 sends when notifications are switched on."""
    return {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-31T12:00:00.000Z", "Bucket": "uploads"}


def failures(answer: Any) -> Sequence[str]:
    """The messages that an answer asks for again."""
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]
