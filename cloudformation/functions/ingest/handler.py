"""The Lambda function: settings, logs, and which messages have to come again. What happens to an upload is `work`'s.

Called by a queue it answers with the messages that failed (`ReportBatchItemFailures`); called by S3 or EventBridge
itself it raises when any upload failed, so that Lambda calls again and then hands the event to the dead letters.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import time
from dataclasses import replace
from typing import Any, Protocol

from assets.source import SourceOptions, open_depot, open_source
from cloudformation.functions.ingest.uploads import EventError, Message, Upload, messages, uploads
from cloudformation.functions.ingest.work import Ingest, Rules
from publishing.facts import Options
from publishing.isolated import Bounds, close_to_children
from publishing.pictures import Settings as PictureSettings

log = logging.getLogger("vitrine.ingest")

_FAILED = "failed"
_FREE_MEMORY = 512 << 20  # bytes for the function itself; the rest of its memory is the model's


class Context(Protocol):
    """What Lambda tells of an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends this invocation."""
        ...


class FailedError(Exception):
    """Some uploads have to come again; each was logged."""


def handle(event: Any, context: Context) -> dict[str, Any]:
    """Lambda's entrance."""
    _set_up_logging()
    ingest = _ingest()
    failed: list[Message] = []
    outcomes: list[str] = []
    for message in messages(event):
        try:
            found = uploads(message.body)
        except EventError:
            log.exception("not understood", extra=_about(context, queued=message.id or ""))
            failed.append(message)
            continue
        taken = [_take(ingest, upload, context) for upload in found]
        outcomes += taken
        if _FAILED in taken:
            failed.append(message)
    if any(message.id is None for message in failed):
        raise FailedError("the event has to come again; the log says why")
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed], "outcomes": outcomes}


def _take(ingest: Ingest, upload: Upload, context: Context) -> str:
    """What became of an upload. Whatever is not its own fault ends here: the others of the event go on."""
    begun = time.monotonic()
    about = _about(context, bucket=upload.bucket, key=upload.key, upload_version=upload.version_id)
    try:
        done = ingest.take(upload, context.get_remaining_time_in_millis() / 1000)
    except Exception:
        log.exception(_FAILED, extra=about)
        return _FAILED
    seconds = round(time.monotonic() - begun, 2)
    about["fields"] |= {"model": done.model_id, "release": done.version, "reason": done.reason, "seconds": seconds}
    log.info(done.outcome, extra=about)
    return done.outcome


@functools.cache  # one for all invocations of this process: connections are kept
def _ingest() -> Ingest:
    close_to_children()
    settings = os.environ
    options = SourceOptions(endpoint=settings.get("INGEST_ENDPOINT") or None, region=settings.get("AWS_REGION"))
    store = open_depot(settings["INGEST_STORE"], options)
    return Ingest(store, functools.cache(lambda bucket: open_source(f"s3://{bucket}", options)), _rules(), settings)


def _rules() -> Rules:
    """As the stack sets the function's environment; docs/publishing.md lists it."""
    default = Rules()
    memory = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "8192")) << 20
    pictures = default.settings.pictures
    if side := os.environ.get("INGEST_PICTURE_PIXELS"):
        pictures = PictureSettings(poster=int(side), spin=int(side))
    seconds = float(os.environ.get("INGEST_MODEL_SECONDS", "600"))
    return replace(
        default,
        max_bytes=int(os.environ.get("INGEST_MAX_BYTES", default.max_bytes)),
        upload_prefix=os.environ.get("INGEST_UPLOAD_PREFIX", default.upload_prefix),
        secret_prefix=os.environ.get("INGEST_SECRET_PREFIX", default.secret_prefix),
        reserve=float(os.environ.get("INGEST_RESERVE_SECONDS", default.reserve)),
        bounds=Bounds(seconds, max(memory - _FREE_MEMORY, _FREE_MEMORY)),
        # Optimising may take a part of it; drawing, which cannot be left out, comes afterwards.
        settings=replace(default.settings, pictures=pictures, optimise=Options(seconds=seconds / 3)),
    )


def _about(context: Context, **fields: Any) -> dict[str, Any]:
    return {"fields": {"request": context.aws_request_id, **fields}}


class _Json(logging.Formatter):
    """One JSON object a line, as CloudWatch Logs Insights reads them."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        said: dict[str, Any] = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        said |= getattr(record, "fields", {})
        if record.exc_info:
            said["error"] = str(record.exc_info[1])
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


class _Output(logging.Handler):
    """Lines on what is stdout at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        sys.stdout.write(self.format(record) + "\n")


@functools.cache
def _set_up_logging() -> None:
    output = _Output()
    output.setFormatter(_Json())
    log.addHandler(output)
    log.setLevel(logging.INFO)
    log.propagate = False  # Lambda's own handler would say everything twice
