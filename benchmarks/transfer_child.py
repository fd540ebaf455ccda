"""Owns one download in a process of its own: ours, or boto3's transfer manager as `aws s3 cp` uses it.

Its only argument is JSON: {"side", "endpoint", "bucket", "key", "to", "bytes", "sha256"}. Prints a line of JSON:
{"seconds", "verified" (until the checksum was known as well), "cpu" (seconds), "resumed" (bytes that were there)}.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

OURS, PEER = "ours", "boto3"


def main() -> None:
    """Import and connect, then take the time of the download."""
    task = json.loads(sys.argv[1])
    run = {OURS: ours, PEER: peer}[task["side"]]
    sys.stdout.write(json.dumps(run(task)) + "\n")


def ours(task: dict[str, Any]) -> dict[str, float]:
    """`assets.transfer`: what it returns is verified."""
    from assets.source import SourceOptions, open_source
    from assets.transfer import download

    told: list[int] = []
    source = open_source(f"s3://{task['bucket']}", SourceOptions(endpoint=task["endpoint"]))
    began, cpu = time.perf_counter(), time.process_time()
    download(
        source,
        task["key"],
        Path(task["to"]),
        bytes=task["bytes"],
        sha256=task["sha256"],
        progress=lambda done, _: told.append(done),
    )
    seconds = time.perf_counter() - began
    spent = time.process_time() - cpu
    return {"seconds": seconds, "verified": seconds, "cpu": spent, "resumed": told[0] if told[0] != told[-1] else 0}


def peer(task: dict[str, Any]) -> dict[str, float]:
    """boto3's transfer manager with its own defaults; the checksum is computed afterwards."""
    import boto3

    client = boto3.session.Session().client("s3", endpoint_url=task["endpoint"])
    began, cpu = time.perf_counter(), time.process_time()
    client.download_file(task["bucket"], task["key"], task["to"])
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    with Path(task["to"]).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != task["sha256"]:
            raise SystemExit("boto3 brought other bytes")
    return {"seconds": seconds, "verified": time.perf_counter() - began, "cpu": spent, "resumed": 0}


if __name__ == "__main__":
    main()
