"""The function under AWS's own runtime interface client, as in its container: loop, environment, answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from assets.publish import Publisher
from assets.source import open_depot
from benchmarks.emulator import CREDENTIALS
from tests.assets.conftest import Shop
from tests.publishing.events import notification, queued, s3_record
from tests.unit.glb import triangle

pytestmark = [pytest.mark.gl, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
HANDLER = "cloudformation.functions.ingest.handler.handle"


class RuntimeApi:
    """Lambda's runtime API, version 2018-06-01: hands out events one by one and collects the answers."""

    def __init__(self, events: list[Any]) -> None:
        self.answers: list[tuple[str, Any]] = []
        self.done = threading.Event()
        self._events = [(f"request-{number}", event) for number, event in enumerate(events)]
        self._expected = len(events)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not outer._events:  # no more work: Lambda lets the function wait, too
                    outer.done.wait(60)
                    self.close_connection = True
                    return
                request, event = outer._events.pop(0)
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 900) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:ingest")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.answers.append((self.path.rsplit("/invocation/", 1)[-1], json.loads(body)))
                if len(outer.answers) == outer._expected:
                    outer.done.set()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@pytest.mark.timeout(300)
def test_the_function_under_the_runtime_interface_client(shop: Shop, tmp_path: Path) -> None:
    """Two invocations: a queue's, with a good and a bad model, and one that fails and is reported as an error."""
    pytest.importorskip("awslambdaric")
    uploads = f"{shop.name}-uploads"
    shop.client.create_bucket(Bucket=uploads, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    records = []
    for key, data in (("in/chair.glb", triangle().data()), ("in/bad.glb", b"nonsense")):
        etag = shop.client.put_object(Bucket=uploads, Key=key, Body=data)["ETag"].strip('"')
        records.append(s3_record(uploads, key, etag=etag, sequencer="0055AED6DCD90281E5"))
    api = RuntimeApi([queued(*(notification(one) for one in records)), {"unknown": "event"}])
    environment = {
        **CREDENTIALS,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "ingest",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "INGEST_STORE": shop.url,
        "INGEST_ENDPOINT": shop.endpoint,
        "INGEST_UPLOAD_PREFIX": "in/",
        "INGEST_PICTURE_PIXELS": "32",
        "TMPDIR": str(tmp_path),
    }
    with api.serving():
        command = [sys.executable, "-m", "awslambdaric", HANDLER]
        running = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        try:
            assert api.done.wait(250)
        finally:
            running.kill()
            log, _ = running.communicate()
    (first, answer), (second, error) = api.answers
    assert (first, answer) == ("request-0/response", {"batchItemFailures": [], "outcomes": ["published", "rejected"]})
    assert (second, error["errorType"]) == ("request-1/error", "FailedError")
    depot = open_depot(shop.url, shop.options())
    assert Publisher(depot).manifest().entry("chair").release().client is not None
    assert [head.key for head in depot.list("rejected/")] == ["rejected/in/bad.glb.json"]
    depot.close()
    assert [json.loads(line)["message"] for line in log.splitlines() if '"vitrine.ingest"' in line] == [
        "published",
        "rejected",
        "not understood",
    ]
    assert list(tmp_path.iterdir()) == []  # what the next invocation would find in /tmp
