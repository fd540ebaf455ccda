"""The programs that stand inside templates: the relays' rotation and our own visitor, run as they are written there."""

from __future__ import annotations

import io
import json
import urllib.error
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request

import pytest

from cloudformation.deploy.template import document

FOLDER = Path(__file__).parents[3] / "cloudformation"
SECRET = "arn:secret"


def _program(stack: str, resource: str, key: str) -> dict[str, Any]:
    """The names that the program defines. Its packages are those of the runtime, which this machine has, too."""
    resources = document(stack, (FOLDER / f"{stack}.yaml").read_text("utf-8"))["Resources"]
    names: dict[str, Any] = {}
    exec(compile(resources[resource]["Properties"]["Code"][key], f"{stack}.yaml", "exec"), names)
    return names


class MissingError(Exception):
    """As Secrets Manager answers for a version that has no value."""


class Secrets:
    """Secrets Manager with one secret: versions with a value, and names for them."""

    class exceptions:
        ResourceNotFoundException = MissingError

    def __init__(self, value: Mapping[str, str]) -> None:
        self.values = {"v0": json.dumps(dict(value))}
        self.stages = {"v0": ["AWSCURRENT"]}

    def begin(self, token: str) -> None:
        """What the service does before it calls the function."""
        self.stages[token] = ["AWSPENDING"]

    def current(self) -> dict[str, str]:
        version = next(version for version, names in self.stages.items() if "AWSCURRENT" in names)
        found: dict[str, str] = json.loads(self.values[version])
        return found

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        assert SecretId == SECRET
        return {"VersionIdsToStages": self.stages}

    def get_secret_value(self, SecretId: str, VersionStage: str, VersionId: str = "") -> dict[str, str]:
        assert SecretId == SECRET
        for version, names in self.stages.items():
            if VersionStage in names and VersionId in ("", version) and version in self.values:
                return {"SecretString": self.values[version]}
        raise MissingError

    def put_secret_value(
        self, SecretId: str, ClientRequestToken: str, SecretString: str, VersionStages: list[str]
    ) -> None:
        assert SecretId == SECRET
        assert VersionStages == ["AWSPENDING"]
        assert ClientRequestToken not in self.values
        self.values[ClientRequestToken] = SecretString

    def update_secret_version_stage(
        self, SecretId: str, VersionStage: str, MoveToVersionId: str, RemoveFromVersionId: str
    ) -> None:
        assert SecretId == SECRET
        self.stages[RemoveFromVersionId].remove(VersionStage)
        self.stages[MoveToVersionId] = [VersionStage]


def _rotate(program: dict[str, Any], service: Secrets, token: str) -> dict[str, str]:
    service.begin(token)
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        program["handler"]({"SecretId": SECRET, "ClientRequestToken": token, "Step": step}, None, service)
    return service.current()


def test_relays_know_every_secret_before_hosts_sign_with_it() -> None:
    program = _program("turn", "RotationFunction", "ZipFile")
    service = Secrets({"secret": "first", "next": "", "previous": ""})
    now = _rotate(program, service, "v1")
    assert now["secret"] == "first"  # nobody knows another one yet
    for token in ("v2", "v3"):
        then, now = now, _rotate(program, service, token)
        assert now["secret"] == then["next"]
        assert now["previous"] == then["secret"]
        assert len(now["next"]) >= 48
        assert now["next"] not in then.values()


def test_rotation_called_again_changes_nothing() -> None:
    program = _program("turn", "RotationFunction", "ZipFile")
    service = Secrets({"secret": "first", "next": "second", "previous": ""})
    service.begin("v1")
    call = {"SecretId": SECRET, "ClientRequestToken": "v1", "Step": "createSecret"}
    program["handler"](call, None, service)
    made = service.values["v1"]
    program["handler"](call, None, service)
    assert service.values["v1"] == made
    assert _rotate(program, service, "v1")["secret"] == "second"
    service.stages["v1"] = ["AWSCURRENT"]
    program["handler"](call, None, service)
    assert service.values["v1"] == made


def test_rotation_refuses_a_version_that_is_not_pending() -> None:
    program = _program("turn", "RotationFunction", "ZipFile")
    service = Secrets({"secret": "first", "next": "second", "previous": ""})
    with pytest.raises(ValueError, match="v9 is not pending"):
        program["handler"]({"SecretId": SECRET, "ClientRequestToken": "v9", "Step": "createSecret"}, None, service)


class Answer:
    """An open answer of urllib."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self._body = status, body

    def read(self, size: int) -> bytes:
        return self._body[:size]

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body = b""


class Server:
    """Answers by (method, path); statuses from 400 on are raised, as urllib does."""

    def __init__(self, answers: Mapping[tuple[str, str], tuple[int, bytes]]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __call__(self, request: Request, timeout: float) -> Answer:
        assert timeout <= 10
        path = request.full_url.removeprefix("https://live.shop.example")
        self.asked.append(f"{request.get_method()} {path}")
        status, body = self.answers[request.get_method(), path]
        if status >= 400:
            raise urllib.error.HTTPError(request.full_url, status, "", Message(), io.BytesIO(body))
        return Answer(status, body)


WORKING: dict[tuple[str, str], tuple[int, bytes]] = {
    ("GET", "/healthz"): (200, b"ok"),
    ("GET", "/models"): (401, b'{"error": {"code": "token-missing", "message": ""}}'),
    ("OPTIONS", "/whep/visitor"): (204, b""),
    ("POST", "/whep/visitor"): (401, b'{"error": {"code": "token-missing", "message": ""}}'),
}


def _visit(**changes: tuple[int, bytes]) -> Server:
    paths = {"health": ("GET", "/healthz"), "models": ("GET", "/models"), "offer": ("POST", "/whep/visitor")}
    server = Server({**WORKING, **{paths[name]: answer for name, answer in changes.items()}})
    _program("observability", "Visitor", "Script")["visit"]("https://live.shop.example", server)
    return server


def test_visitor_is_content_with_a_server_that_wants_tokens_and_with_an_open_one() -> None:
    assert _visit().asked == [f"{method} {path}" for method, path in WORKING]
    _visit(models=(200, b'{"models": []}'), offer=(404, b'{"error": {"code": "not-found", "message": ""}}'))


def test_visitor_may_come_by_the_distribution_which_keeps_the_health_to_itself() -> None:
    _visit(health=(404, b""))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("models", (404, b"No such site")),  # the load balancer, to a name or without a header that it knows
        ("health", (503, b"")),
        ("models", (200, b'{"message": "another server"}')),
        ("offer", (503, b'{"error": {"code": "full", "message": ""}}')),
        ("offer", (403, b"Forbidden")),  # the firewall
    ],
)
def test_visitor_fails_when_something_in_between_is_wrong(name: str, answer: tuple[int, bytes]) -> None:
    with pytest.raises(RuntimeError, match="expected one of|neither models"):
        _visit(**{name: answer})
