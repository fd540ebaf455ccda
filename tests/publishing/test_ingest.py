"""The ingest function against S3 over HTTP: each upload once, the newest wins, bad ones recorded, faults repeated."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from assets.errors import NotFoundError, UnavailableError
from assets.manifest import Manifest
from assets.publish import Bundle, Publisher
from assets.source import Depot, open_depot, open_source
from cloudformation.functions.ingest import handler, work
from cloudformation.functions.ingest.work import Ingest, Rules
from publishing.errors import InvalidError
from publishing.isolated import Bounds, Isolated
from publishing.pipeline import Settings, title_of
from publishing.validate import validate
from tests.assets.conftest import Shop
from tests.publishing.events import bridge, failures, first_message, notification, queued, s3_record, topic
from tests.unit.glb import Glb, triangle


def model(title: str) -> bytes:
    glb = triangle()
    glb.json["asset"]["extras"] = {"title": title}
    return glb.data()


class Lambda:
    """What Lambda gives the function of an invocation."""

    aws_request_id = "6bc28136"

    def __init__(self, seconds: float = 900.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@dataclass
class Stack:
    """An upload bucket with versions, a store, and the function between them."""

    shop: Shop
    store: Depot
    uploads: str
    function: Callable[[Any], Any]
    number: int = 0

    def upload(self, key: str, data: bytes) -> Any:
        """Puts an object; the record that S3 would send of it."""
        self.number += 1
        put = self.shop.client.put_object(Bucket=self.uploads, Key=key, Body=data)
        sequencer = f"{0x55AED6DCD90281E5 + self.number:018X}"
        return s3_record(
            self.uploads,
            key,
            etag=put["ETag"].strip('"'),
            sequencer=sequencer,
            version=put["VersionId"],
            size=len(data),
        )

    def manifest(self) -> Manifest:
        return Publisher(self.store).manifest()

    def record(self, key: str) -> Any:
        found = self.store.read(key, 1 << 20)
        return None if found is None else json.loads(found[0])


@pytest.fixture
def rules(quick: Settings) -> Rules:
    return Rules(upload_prefix="in/", settings=quick, bounds=Bounds(seconds=100.0))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are checked and published as they are, without pictures, in this process."""

    def checked(model_id: str, source: Path, folder: Path, settings: Settings, *_: Any, **named: Any) -> Isolated:
        report = validate(source)
        if report.errors:
            raise InvalidError(report.errors[0])
        title = title_of(source, settings)
        return Isolated(Bundle(model_id, title, source, settings.secret, source=named["digest"]), ())

    monkeypatch.setattr(work, "prepare_isolated", checked)


@pytest.fixture
def stack(shop: Shop, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    uploads = f"{shop.name}-uploads"
    shop.client.create_bucket(Bucket=uploads, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    shop.client.put_bucket_versioning(Bucket=uploads, VersioningConfiguration={"Status": "Enabled"})
    store = open_depot(shop.url, shop.options())
    source = open_source(f"s3://{uploads}", shop.options())
    monkeypatch.setattr(handler, "_ingest", lambda: make(rules))

    def make(rules: Rules) -> Ingest:
        return Ingest(store, lambda bucket: source, rules, {"PATH": "/usr/bin:/bin"})

    yield Stack(shop, store, uploads, lambda event: handler.handle(event, Lambda()))
    source.close()
    store.close()


@pytest.mark.gl
@pytest.mark.slow
def test_an_upload_becomes_a_release(stack: Stack) -> None:
    record = stack.upload("in/neue möbel/Sessel + Tisch.glb", model("A chair"))
    assert stack.function(notification(record))["outcomes"] == ["published"]
    (model_id,) = stack.manifest().models
    release = stack.manifest().entry(model_id).release()
    assert (model_id, release.title, release.secret) == ("neue-m-bel-Sessel-Tisch", "A chair", False)
    assert len(release.spin) == 36
    assert release.client is not None
    accepted = stack.record(f"accepted/{model_id}.json")
    assert (accepted["key"], accepted["version"]) == ("in/neue möbel/Sessel + Tisch.glb", release.version)


@pytest.mark.usefixtures("undrawn")
def test_the_same_event_again_does_nothing_even_after_a_rollback(stack: Stack) -> None:
    first = stack.upload("in/chair.glb", model("one"))
    stack.function(notification(first))
    second = stack.upload("in/chair.glb", model("two"))
    stack.function(notification(second))
    Publisher(stack.store).roll_back("chair")
    before = stack.manifest()
    assert stack.function(queued(notification(second), notification(first))) == {
        "batchItemFailures": [],
        "outcomes": ["seen", "superseded"],
    }
    assert stack.manifest() == before
    assert before.entry("chair").release().title == "one"
    back = stack.upload("in/chair.glb", model("two"))  # on purpose this time
    assert stack.function(notification(back))["outcomes"] == ["published"]
    assert stack.manifest().entry("chair").release().title == "two"


@pytest.mark.usefixtures("undrawn")
def test_events_in_the_wrong_order_end_with_the_newest(stack: Stack) -> None:
    events = [notification(stack.upload("in/chair.glb", model(title))) for title in ("one", "two", "three")]
    assert stack.function(queued(*reversed(events)))["outcomes"] == ["published", "superseded", "superseded"]
    assert [one.title for one in stack.manifest().entry("chair").releases] == ["three"]


@pytest.mark.usefixtures("undrawn")
def test_an_upload_that_is_overtaken_while_it_is_prepared_is_not_shown(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = vars(work)["prepare_isolated"]

    def overtaken(*given: Any, **named: Any) -> Any:
        made = real(*given, **named)
        newer.append(stack.upload("in/chair.glb", model("newer")))
        monkeypatch.setattr(work, "prepare_isolated", real)
        return made

    newer: list[Any] = []
    monkeypatch.setattr(work, "prepare_isolated", overtaken)
    assert stack.function(notification(stack.upload("in/chair.glb", model("older"))))["outcomes"] == ["superseded"]
    assert stack.manifest().models == {}
    assert stack.function(notification(*newer))["outcomes"] == ["published"]
    assert stack.manifest().entry("chair").release().title == "newer"


@pytest.mark.usefixtures("undrawn")
def test_a_bad_model_is_recorded_once_and_its_repair_clears_it(stack: Stack) -> None:
    bad = stack.upload("in/sofas/big.glb", b"glTF" + bytes(30))
    assert stack.function(queued(notification(bad))) == {"batchItemFailures": [], "outcomes": ["rejected"]}
    rejected = stack.record("rejected/in/sofas/big.glb.json")
    assert (rejected["key"], rejected["id"]) == ("in/sofas/big.glb", "sofas-big")
    assert len(rejected["reasons"]) == 1
    assert "GLB version 0" in rejected["reasons"][0]
    assert stack.function(notification(bad))["outcomes"] == ["seen"]
    good = stack.upload("in/sofas/big.glb", model("Big"))
    assert stack.function(notification(good))["outcomes"] == ["published"]
    with pytest.raises(NotFoundError):
        stack.record("rejected/in/sofas/big.glb.json")


@pytest.mark.usefixtures("undrawn")
def test_a_key_that_no_store_takes_has_its_refusal_under_another(stack: Stack) -> None:
    stack.function(notification(stack.upload("in/../ä b.glb", b"nonsense")))
    (head,) = stack.store.list("rejected/")
    assert stack.record(head.key)["key"] == "in/../ä b.glb"


@pytest.mark.usefixtures("undrawn")
def test_one_bad_message_does_not_hold_up_the_others(stack: Stack) -> None:
    good = [notification(stack.upload(f"in/{name}.glb", model(name))) for name in ("a", "b")]
    answer = stack.function(queued(good[0], "not JSON", topic(good[1]), first_message()))
    assert failures(answer) == ["m1"]
    assert answer["outcomes"] == ["published", "published"]
    assert set(stack.manifest().models) == {"a", "b"}


@pytest.mark.usefixtures("undrawn")
def test_other_files_and_uploads_that_are_gone_are_passed_over(stack: Stack) -> None:
    picture = stack.upload("in/photo.jpg", b"jpeg")
    gone = stack.upload("in/chair.glb", model("gone"))
    stack.shop.client.delete_object(Bucket=stack.uploads, Key="in/chair.glb")
    assert stack.function(notification(picture, gone))["outcomes"] == ["ignored", "gone"]


@pytest.mark.usefixtures("undrawn")
def test_an_event_of_the_bridge(stack: Stack) -> None:
    record = stack.upload("in/100%.glb", model("Percent"))["s3"]["object"]
    event = bridge(stack.uploads, "in/100%.glb", etag=record["eTag"], sequencer=record["sequencer"])
    assert stack.function(event)["outcomes"] == ["published"]


@pytest.mark.usefixtures("undrawn")
def test_secret_uploads_leave_nothing_public(stack: Stack) -> None:
    stack.function(notification(stack.upload("secret/engine.glb", model("Engine"))))
    release = stack.manifest().entry("engine").release()
    assert release.secret
    assert [head.key for head in stack.store.list("models/")] == []
    assert all(head.key.startswith("private/engine/") for head in stack.store.list("private/"))


@pytest.mark.usefixtures("undrawn")
def test_two_uploads_do_not_share_an_id(stack: Stack) -> None:
    assert stack.function(notification(stack.upload("in/a b.glb", model("first"))))["outcomes"] == ["published"]
    other = stack.upload("in/a-b.glb", model("second"))
    assert stack.function(notification(other))["outcomes"] == ["rejected"]
    assert stack.manifest().entry("a-b").release().title == "first"
    stack.shop.client.delete_object(Bucket=stack.uploads, Key="in/a b.glb")
    moved = stack.upload("in/a-b.glb", model("second"))
    assert stack.function(notification(moved))["outcomes"] == ["published"]


def with_side_file(name: str) -> tuple[bytes, bytes]:
    """A .gltf and the buffer that it refers to."""
    glb: Glb = triangle()
    text = {**glb.json, "buffers": [{"byteLength": len(glb.binary), "uri": name}]}
    return json.dumps(text).encode(), bytes(glb.binary)


@pytest.mark.usefixtures("undrawn")
def test_a_gltf_waits_for_its_files(stack: Stack) -> None:
    text, binary = with_side_file("geo/a%20b.bin")
    record = stack.upload("in/vase/scene.gltf", text)
    assert failures(stack.function(queued(notification(record)))) == ["m0"]
    assert stack.manifest().models == {}
    stack.upload("in/vase/geo/a b.bin", binary)
    assert failures(stack.function(queued(notification(record)))) == []
    assert stack.manifest().entry("vase").release().model.bytes > len(binary)


@pytest.mark.parametrize("uri", ["../other.bin", "/etc/passwd", "https://example.com/a.bin", "%2e%2e/other.bin"])
@pytest.mark.usefixtures("undrawn")
def test_a_gltf_reaches_nothing_outside_its_folder(stack: Stack, uri: str) -> None:
    text, binary = with_side_file(uri)
    stack.upload("in/other.bin", binary)
    record = stack.upload("in/vase/vase.gltf", text)
    record["eventTime"] = "2020-01-01T00:00:00.000Z"  # nothing is still on its way
    assert stack.function(notification(record))["outcomes"] == ["rejected"]


@pytest.mark.gl
@pytest.mark.slow
def test_limits_of_size_and_of_time(stack: Stack, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    take = handler._ingest()
    source = open_source(f"s3://{stack.uploads}", stack.shop.options())

    def under(rules: Rules) -> None:
        monkeypatch.setattr(handler, "_ingest", lambda: Ingest(stack.store, lambda _: source, rules, {}))

    record = stack.upload("in/chair.glb", model("chair"))
    under(replace(rules, bounds=Bounds(seconds=2000.0)))  # too little of the invocation is left: later
    assert failures(stack.function(queued(notification(record)))) == ["m0"]
    under(replace(rules, max_bytes=100))
    assert stack.function(queued(notification(record)))["outcomes"] == ["rejected"]
    slow = stack.upload("in/slow.glb", model("slow"))
    under(replace(rules, bounds=Bounds(seconds=0.05)))
    assert stack.function(queued(notification(slow)))["outcomes"] == ["rejected"]
    assert "0 s" in stack.record("rejected/in/slow.glb.json")["reasons"][0]
    large = stack.upload("in/large.glb", model("large"))
    under(replace(rules, bounds=Bounds(seconds=100.0, memory=60 << 20)))
    assert stack.function(queued(notification(large)))["outcomes"] == ["rejected"]
    source.close()
    assert isinstance(take, Ingest)


@pytest.mark.usefixtures("undrawn")
def test_our_faults_are_raised_and_the_next_try_succeeds(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stack.upload("in/chair.glb", model("chair"))

    def out_of_order(*_: Any, **__: Any) -> Any:
        raise UnavailableError("S3 says: slow down")

    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "publish", out_of_order)
        assert failures(stack.function(queued(notification(record)))) == ["m0"]
        with pytest.raises(handler.FailedError):
            stack.function(notification(record))  # S3 itself calls: Lambda calls again, then the dead letters
    assert stack.manifest().models == {}
    assert [head.key for head in stack.store.list("rejected/")] == []
    assert stack.function(notification(record))["outcomes"] == ["published"]


@pytest.mark.usefixtures("undrawn")
def test_the_log_is_json_and_has_no_secrets(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    stack.function(queued(notification(stack.upload("in/chair.glb", b"bad")), "not JSON"))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["rejected", "not understood"]
    assert lines[0]["key"] == "in/chair.glb"
    assert lines[0]["request"] == "6bc28136"
    assert lines[0]["seconds"] >= 0
    assert "emulated" not in out.getvalue()
