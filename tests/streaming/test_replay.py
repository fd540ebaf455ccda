"""What a viewer last said of each kind, as it is told to the next render process."""

from __future__ import annotations

import pytest

from renderer.view import View
from streaming.ipc import CameraInput
from streaming.protocol import Animation, Hello, Pick, Variant, Viewport
from streaming.replay import Replay
from streaming.state import Facts
from streaming.viewers import first_state
from streaming.viewspec import view_to_json


def camera(seq: int, theta: float) -> CameraInput:
    return CameraInput(1, seq, (theta, 75.0, 2.0), (0.0, 0.0, 0.0), 30.0)


def test_the_newest_of_each_kind_in_their_order_and_the_camera_last() -> None:
    replay = Replay()
    replay.camera(camera(7, 70.0))
    replay.camera(camera(6, 60.0))  # overtaken on the way
    for message in (Hello(1), Variant("oak"), Viewport(320, 240), Pick(1, 0.5, 0.5), Variant("walnut")):
        replay.message(message)
    told = replay.told()
    assert [(each["type"], each.get("name"), each.get("seq")) for each in told["messages"]] == [
        ("viewport", None, None),
        ("variant", "walnut", None),
        ("camera", None, 7),
    ]
    assert "bitrate" not in told
    replay.bitrate = 900_000
    assert replay.told()["bitrate"] == 900_000


@pytest.mark.parametrize(("play", "time"), [(True, 13.0), (False, 3.0)])
def test_a_playing_animation_has_gone_on(monkeypatch: pytest.MonkeyPatch, play: bool, time: float) -> None:
    replay = Replay()
    now = 100.0
    monkeypatch.setattr("streaming.replay.time.monotonic", lambda: now)
    replay.message(Animation("spin", play, 3.0))
    now = 110.0
    assert replay.told()["messages"] == [{"type": "animation", "name": "spin", "play": play, "time": time}]


def test_a_session_begins_as_it_was() -> None:
    replay = Replay()
    for message in (Variant("oak"), Variant("no such"), Viewport(320, 240)):
        replay.message(message)
    replay.camera(camera(7, 70.0))
    opening = {"view": view_to_json(View(width=640, height=480)), "playing": False, "max_pixels": 1 << 20}
    facts = Facts(bounds=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), variants=("oak",))
    state, _ = first_state({**opening, **replay.told()}, facts)
    assert (state.seq, state.view.orbit.theta, state.view.width, state.view.variant) == (7, 70.0, 320, None)
