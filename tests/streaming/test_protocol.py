"""Every hostile line gets its code; every good one is read exactly; the schema on disk is the code's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ProtocolError
from streaming.protocol import (
    MAX_BYTES,
    Animation,
    Camera,
    FrameShown,
    Hello,
    MaterialChannel,
    Pick,
    Report,
    Variant,
    Viewport,
    dump,
    dump_frame,
    parse,
    schema,
)

CAMERA = {"type": "camera", "seq": 7, "orbit": [30, 75.5, 1.2], "target": [0, 0.3, 0], "fov": 30}


def camera(**changes: object) -> str:
    return json.dumps({**CAMERA, **changes})


def code(channel: str, text: str | bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        parse(channel, text)
    assert str(caught.value)
    return caught.value.code


def test_camera_is_read() -> None:
    assert parse("camera", camera()) == Camera(7, (30.0, 75.5, 1.2), (0.0, 0.3, 0.0), 30.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"hello","version":1}', Hello(1)),
        ('{"type":"viewport","width":1280,"height":720}', Viewport(1280, 720)),
        ('{"type":"variant","name":null}', Variant(None)),
        ('{"type":"animation","name":"spin","play":true,"time":1.5}', Animation("spin", True, 1.5)),
        ('{"type":"channel","name":"normal"}', MaterialChannel("normal")),
        ('{"type":"channel","name":null}', MaterialChannel(None)),
        ('{"type":"pick","id":3,"x":0,"y":1}', Pick(3, 0.0, 1.0)),
        ('{"type":"report","freezes":2,"frozen_ms":640.5}', Report(2, 640.5)),
    ],
)
def test_control_is_read(text: str, message: object) -> None:
    assert parse("control", text) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "bad-json"),
        ("not json", "bad-json"),
        ("[" * 4000, "bad-json"),
        (camera(fov=float("nan")), "bad-json"),
        (camera(target=[0, 0, float("inf")]), "bad-json"),
        ("[]", "bad-type"),
        ("null", "bad-type"),
        (b'{"type":"camera"}', "bad-type"),
        ("{}", "unknown-type"),
        ('{"type":7}', "unknown-type"),
        ('{"type":["camera"]}', "unknown-type"),
        ('{"type":"hello","version":1}', "unknown-type"),
        ('{"type":"explode"}', "unknown-type"),
        ('{"type":"camera"}', "missing"),
        (camera(extra=1), "unknown-member"),
        (camera(seq=True), "bad-type"),
        (camera(seq=1.5), "bad-type"),
        (camera(seq=-1), "out-of-range"),
        (camera(seq=10**400), "out-of-range"),
        (camera(fov="30"), "bad-type"),
        (camera(fov=0), "out-of-range"),
        (camera(fov=10**400), "out-of-range"),
        (camera(orbit=[0, 181, 1]), "out-of-range"),
        (camera(orbit=[0, -0.1, 1]), "out-of-range"),
        (camera(orbit=[0, 90, 0]), "out-of-range"),
        (camera(orbit=[0, 90, -1]), "out-of-range"),
        (camera(orbit=[1e9, 90, 1]), "out-of-range"),
        (camera(orbit=[0, 90]), "bad-type"),
        (camera(orbit={"theta": 0}), "bad-type"),
        (camera(target=[None, 0, 0]), "bad-type"),
        (camera(pad="x" * MAX_BYTES), "too-large"),
    ],
)
def test_hostile_camera_gets_its_code(text: str | bytes, expected: str) -> None:
    assert code("camera", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (camera(), "unknown-type"),
        ('{"type":"viewport","width":0,"height":9}', "out-of-range"),
        ('{"type":"viewport","width":1e3,"height":9}', "bad-type"),
        ('{"type":"variant","name":5}', "bad-type"),
        (json.dumps({"type": "variant", "name": "v" * 257}), "out-of-range"),
        ('{"type":"animation","name":"spin","play":1,"time":0}', "bad-type"),
        ('{"type":"animation","name":"spin","play":true,"time":-1}', "out-of-range"),
        ('{"type":"exposure","ev":1e308}', "out-of-range"),
        ('{"type":"pick","id":1,"x":1.01,"y":0}', "out-of-range"),
        ('{"type":"ping","t":"now"}', "bad-type"),
        ('{"type":"report","freezes":1001,"frozen_ms":1}', "out-of-range"),
        ('{"type":"report","freezes":1,"frozen_ms":-1}', "out-of-range"),
        ('{"type":"report","freezes":1,"frozen_ms":600001}', "out-of-range"),
        ('{"type":"report","freezes":1.5,"frozen_ms":1}', "bad-type"),
        ('{"type":"ready"}', "unknown-type"),
    ],
)
def test_hostile_control_gets_its_code(text: str, expected: str) -> None:
    assert code("control", text) == expected


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_is_a_message_or_a_protocol_error(text: str | bytes) -> None:
    codes = set()
    for channel in ("camera", "control"):
        try:
            parse(channel, text)
        except ProtocolError as error:
            codes.add(error.code)
    assert codes <= {"bad-json", "bad-type", "unknown-type", "missing", "unknown-member", "out-of-range"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(["seq", "orbit", "target", "fov", "type"]),
)
def test_any_value_in_any_member_is_read_or_refused(value: object, member: str) -> None:
    try:
        message = parse("camera", camera(**{member: value}))
    except ProtocolError:
        return
    assert isinstance(message, Camera)
    assert 0 <= message.orbit[1] <= 180


def test_dump_is_what_a_viewer_reads() -> None:
    assert json.loads(dump(FrameShown(rtp=2**32 - 1, seq=4))) == {"type": "frame", "rtp": 2**32 - 1, "seq": 4}
    assert dump_frame(2**32 - 1, 4) == dump(FrameShown(rtp=2**32 - 1, seq=4))


def test_inbound_messages_survive_dump_and_parse() -> None:
    message = Camera(1, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 7.0)
    assert parse("camera", dump(message)) == message


def test_schema_on_disk_is_current() -> None:
    path = Path(__file__).resolve().parents[2] / "docs" / "protocol.schema.json"
    assert json.loads(path.read_text()) == schema(), "run `python -m streaming.protocol > docs/protocol.schema.json`"
