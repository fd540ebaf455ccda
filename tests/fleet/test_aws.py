"""The port to AWS: instance metadata over real HTTP, Auto Scaling's answers by botocore's own stubber."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from botocore.stub import Stubber

from fleet.aws import AwsLifecycle
from fleet.errors import RefusedError, SettingsError, UnavailableError
from fleet.imds import TOKEN_SECONDS, Metadata
from fleet.lifecycle import Instance, Notices, Result, Target
from tests.fleet.hosts import Clock

ENTRIES = {
    "instance-id": "i-0123456789abcdef0",
    "placement/availability-zone": "eu-central-1a",
    "instance-type": "g5.xlarge",
    "local-ipv4": "10.0.1.2",
    "instance-life-cycle": "spot",
    "autoscaling/target-lifecycle-state": "InService",
}


class Imds(BaseHTTPRequestHandler):
    """IMDSv2 as documented: a token by PUT, 401 without a good one, 404 for what is not there."""

    entries: ClassVar[dict[str, str]] = {}
    tokens: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        seconds = int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"])
        if self.path != "/latest/api/token" or not 1 <= seconds <= TOKEN_SECONDS:
            return self._answer(400, "")
        self.tokens.append(f"token-{len(self.tokens)}")
        return self._answer(200, self.tokens[-1])

    def do_GET(self) -> None:
        if not self.tokens or self.headers["X-aws-ec2-metadata-token"] != self.tokens[-1]:
            return self._answer(401, "")
        found = self.entries.get(self.path.removeprefix("/latest/meta-data/"))
        return self._answer(404 if found is None else 200, found or "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def imds() -> Iterator[str]:
    Imds.entries, Imds.tokens = dict(ENTRIES), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Imds) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_who_this_is_with_one_token(imds: str) -> None:
    metadata = Metadata(imds)
    assert metadata.instance() == Instance("i-0123456789abcdef0", "eu-central-1a", "g5.xlarge", "10.0.1.2", True)
    assert metadata.notices() == Notices()
    assert len(Imds.tokens) == 1


def test_tokens_are_renewed_before_their_end_and_when_refused(imds: str) -> None:
    clock = Clock()
    metadata = Metadata(imds, clock)
    metadata.notices()
    clock.sleep(TOKEN_SECONDS - 60)
    metadata.notices()
    assert len(Imds.tokens) == 2
    Imds.tokens.append("another")  # the one that is held means nothing now
    metadata.notices()
    assert len(Imds.tokens) == 4


def test_notices_are_read(imds: str) -> None:
    Imds.entries |= {
        "spot/instance-action": '{"action": "terminate", "time": "2026-11-27T10:02:00Z"}',
        "events/recommendations/rebalance": '{"noticeTime": "2026-11-27T10:00:00Z"}',
        "autoscaling/target-lifecycle-state": "Terminated",
    }
    assert Metadata(imds).notices() == Notices(1795773720.0, True, Target.TERMINATED)


def test_a_state_from_the_future_is_nobodys(imds: str) -> None:
    Imds.entries["autoscaling/target-lifecycle-state"] = "Warmed:Reheated"
    assert Metadata(imds).notices().target is Target.NONE


@pytest.mark.parametrize("action", ["", "[]", "{}", '{"time": "soon"}', '{"time": 7}'])
def test_an_action_that_cannot_be_read_is_no_silence(imds: str, action: str) -> None:
    Imds.entries["spot/instance-action"] = action
    with pytest.raises(UnavailableError, match="instance-action"):
        Metadata(imds).notices()


def test_no_service_and_no_such_endpoint() -> None:
    with pytest.raises(UnavailableError):
        Metadata("http://127.0.0.1:1").notices()
    for wrong in ("https://169.254.169.254", "http://", "http://169.254.169.254/latest"):
        with pytest.raises(SettingsError):
            Metadata(wrong)


def test_auto_scaling_hears_the_documented_requests(imds: str, credentials: None) -> None:
    lifecycle = AwsLifecycle("render-base", "eu-central-1", imds)
    action = {
        "AutoScalingGroupName": "render-base",
        "LifecycleHookName": "terminating",
        "InstanceId": "i-0123456789abcdef0",
    }
    protection = {
        "AutoScalingGroupName": "render-base",
        "InstanceIds": ["i-0123456789abcdef0"],
        "ProtectedFromScaleIn": True,
    }
    with Stubber(lifecycle._client) as aws:
        aws.add_response("set_instance_protection", {}, protection)
        aws.add_response("record_lifecycle_action_heartbeat", {}, action)
        aws.add_response("complete_lifecycle_action", {}, {**action, "LifecycleActionResult": "CONTINUE"})
        lifecycle.protect(True)
        lifecycle.heartbeat("terminating")
        lifecycle.complete("terminating", Result.CONTINUE)
        aws.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ValidationError", 400, RefusedError),
        ("AccessDenied", 403, RefusedError),
        ("Throttling", 400, UnavailableError),
        ("InternalFailure", 500, UnavailableError),
    ],
)
def test_refusals_are_told_from_delays(
    imds: str, credentials: None, code: str, status: int, kind: type[Exception]
) -> None:
    lifecycle = AwsLifecycle("render-base", "eu-central-1", imds)
    with Stubber(lifecycle._client) as aws:
        aws.add_client_error("complete_lifecycle_action", code, "no", status)
        with pytest.raises(kind, match=code):
            lifecycle.complete("terminating", Result.CONTINUE)
