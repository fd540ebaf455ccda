"""The rule of delivery by table: what a device has, what a release has, and the way between them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streaming.config import Config
from streaming.delivery import Hints, Release, choose, client_seconds, read_hints, stream_seconds

CONFIG = Config(model_viewer="https://cdn.example/model-viewer.js")
SHOE = Release(client=2_000_000, triangles=60_000, spin=700_000)
CAR = Release(client=60_000_000, triangles=4_000_000, spin=900_000)
BARE = Release()  # a file in a folder: nobody prepared anything
SECRET = Release(client=2_000_000, triangles=60_000, spin=700_000, secret=True)
FAST = Hints(device="phone", downlink=10.0, rtt=0.05, webgl=True, webrtc=True)
DESKTOP = Hints(device="desktop", memory=8, downlink=10.0, rtt=0.02)


def decided(release: Release, hints: Hints, room: bool = True, config: Config = CONFIG) -> tuple[str, str]:
    choice = choose(release, hints, room=room, config=config)
    assert choice.reason
    assert "\n" not in choice.reason
    return choice.mode, choice.code


@pytest.mark.parametrize(
    ("release", "hints", "room", "expected"),
    [
        # small and public: the device draws it, whatever the host is doing
        (SHOE, Hints(), True, ("client", "light")),
        (SHOE, FAST, True, ("client", "light")),
        (SHOE, FAST, False, ("client", "light")),
        (SHOE, Hints(webrtc=False), True, ("client", "light")),
        # heavy, or not to be had: a stream
        (CAR, DESKTOP, True, ("stream", "triangles")),
        (Release(client=20_000_000, triangles=1000), DESKTOP, True, ("stream", "bytes")),
        (Release(client=8_000_000, triangles=1000), DESKTOP, True, ("stream", "slower")),
        (BARE, DESKTOP, True, ("stream", "no-file")),
        (SHOE, Hints(webgl=False), True, ("stream", "no-webgl")),
        (SHOE, Hints(page="none"), True, ("stream", "no-viewer")),
        (SHOE, Hints(page="page"), True, ("client", "light")),
        # what a desktop may draw is too much for a phone, and for a weak desktop
        (Release(client=2_000_000, triangles=800_000), DESKTOP, True, ("client", "light")),
        (Release(client=2_000_000, triangles=800_000), Hints(width=1400), True, ("client", "light")),
        (Release(client=2_000_000, triangles=800_000), FAST, True, ("stream", "triangles")),
        (Release(client=2_000_000, triangles=800_000), Hints(width=400), True, ("stream", "triangles")),
        (Release(client=2_000_000, triangles=800_000), Hints(), True, ("stream", "triangles")),
        (Release(client=2_000_000, triangles=800_000), Hints("desktop", memory=1), True, ("stream", "triangles")),
        (Release(client=5_000_000, triangles=10), Hints("desktop", memory=2), True, ("stream", "bytes")),
        # the way decides: the same shoe over a slow one
        (SHOE, Hints(downlink=3.0), True, ("stream", "slower")),
        (SHOE, Hints(downlink=0.3), True, ("spin", "slow-network")),
        (BARE, Hints(downlink=0.3), True, ("stream", "no-file")),
        # a host far away: a stream begins late, too
        (Release(client=5_000_000, triangles=10), Hints("desktop", rtt=0.02), True, ("stream", "slower")),
        (Release(client=5_000_000, triangles=10), Hints("desktop", rtt=0.4), True, ("client", "light")),
        # data is to be saved
        (SHOE, Hints(save_data=True), True, ("spin", "save-data")),
        (Release(client=300_000, triangles=10, spin=700_000), Hints(save_data=True), True, ("client", "light")),
        (Release(client=300_000, triangles=10), Hints(save_data=True), True, ("client", "light")),
        (Release(client=9_000_000, triangles=10), Hints(save_data=True), True, ("stream", "slower")),
        # no stream is to be had
        (CAR, DESKTOP, False, ("spin", "no-capacity")),
        (CAR, Hints(webrtc=False), True, ("spin", "no-webrtc")),
        (Release(client=8_000_000, triangles=1000), DESKTOP, False, ("client", "no-capacity")),
        (Release(client=8_000_000, triangles=1000), Hints(webrtc=False), True, ("client", "no-webrtc")),
        (Release(client=60_000_000, triangles=4_000_000), DESKTOP, False, ("stream", "triangles")),
        (BARE, DESKTOP, False, ("stream", "no-file")),
        (BARE, Hints(webrtc=False), True, ("stream", "no-file")),
    ],
)
def test_the_rule(release: Release, hints: Hints, room: bool, expected: tuple[str, str]) -> None:
    assert decided(release, hints, room) == expected


def test_a_secret_model_is_never_given_to_a_device() -> None:
    chance = random.Random(5)
    for _ in range(2000):
        hints = Hints(
            device=chance.choice(["phone", "tablet", "desktop", None]),
            memory=chance.choice([None, 0.25, 8.0]),
            downlink=chance.choice([None, 0.0, 0.4, 10.0]),
            rtt=chance.choice([None, 0.0, 5.0]),
            save_data=chance.random() < 0.5,
            webgl=chance.choice([None, True, False]),
            webrtc=chance.choice([None, True, False]),
            page=chance.choice([None, "page", "server", "none"]),
        )
        release = Release(chance.choice([None, 0, 10**6]), 10, chance.choice([None, 10**5]), secret=True)
        assert decided(release, hints, chance.random() < 0.5)[0] != "client"


def test_without_a_viewer_of_its_own_the_server_counts_on_the_page() -> None:
    assert decided(SHOE, Hints(page="server")) == ("client", "light")
    assert decided(SHOE, Hints(page="server"), config=Config()) == ("stream", "no-viewer")
    assert decided(SHOE, Hints(page="page"), config=Config()) == ("client", "light")


def test_thresholds_are_settings() -> None:
    assert decided(SHOE, FAST, config=Config(delivery_bytes=1_999_999)) == ("stream", "bytes")
    assert decided(SHOE, FAST, config=Config(delivery_triangles_phone=59_999)) == ("stream", "triangles")
    assert decided(SHOE, FAST, config=Config(delivery_seconds=0.1)) == ("stream", "slower")
    assert decided(SHOE, FAST, config=Config(delivery_downlink=5.0)) == ("stream", "slower")
    slow = Hints(downlink=0.3)
    assert decided(SHOE, slow, config=Config(delivery_stream_downlink=0.2)) == ("stream", "slower")


def test_times_are_round_trips_and_bytes() -> None:
    near = Hints(downlink=8.0, rtt=0.1)
    assert client_seconds(1_000_000, near, CONFIG) == pytest.approx(1.2)
    assert stream_seconds(near, CONFIG) == pytest.approx(1.4)
    assert client_seconds(1_000_000, Hints(downlink=0.0), CONFIG) == pytest.approx(800.1)


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ({}, {}, Hints()),
        ({"device": "phone", "memory": "4", "width": "390"}, {}, Hints("phone", 4.0, 390.0)),
        ({"saveData": "1", "webgl": "2", "webrtc": "0"}, {}, Hints(save_data=True, webgl=True, webrtc=False)),
        ({"downlink": "1.45", "rtt": "150", "ect": "2g"}, {}, Hints(downlink=1.45, rtt=0.15)),
        ({"ect": "2g"}, {}, Hints(downlink=0.07)),
        ({"viewer": "page"}, {}, Hints(page="page")),
        (
            {},
            {"Save-Data": "on", "Device-Memory": "0.5", "Viewport-Width": "320"},
            Hints(None, 0.5, 320.0, save_data=True),
        ),
        ({}, {"Downlink": "2.5", "RTT": "50", "ECT": "3g"}, Hints(downlink=2.5, rtt=0.05)),
        ({"memory": "8"}, {"Device-Memory": "2"}, Hints(memory=8.0)),
        ({}, {"Sec-CH-UA-Mobile": "?1"}, Hints("phone")),
        ({}, {"Sec-CH-UA-Mobile": "?0"}, Hints("desktop")),
        ({}, {"Sec-CH-UA-Mobile": "?0", "Sec-CH-UA-Platform": '"Android"'}, Hints("tablet")),
        ({}, {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)"}, Hints("phone")),
        ({}, {"User-Agent": "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Safari/537.36"}, Hints("tablet")),
        ({}, {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, Hints("desktop")),
        ({"device": "desktop"}, {"Sec-CH-UA-Mobile": "?1"}, Hints("desktop")),
        ({"device": "mobile"}, {}, Hints("phone")),
    ],
)
def test_hints_are_read_from_query_and_headers(query: dict[str, str], headers: dict[str, str], expected: Hints) -> None:
    assert read_hints(query, headers) == expected


@pytest.mark.parametrize(
    "value",
    ["NaN", "inf", "-1", "1e999", "٣", "1" * 5000, "0x10", "1;drop", "\r\nX: y", "[]", " ", "true\0", "½", "+5", "1_0"],
)
def test_hostile_hints_count_as_not_told(value: str) -> None:
    names = ("device", "memory", "width", "downlink", "ect", "rtt", "saveData", "webgl", "webrtc", "viewer")
    assert read_hints(dict.fromkeys(names, value), {}) == Hints()
    headers: dict[str, Any] = dict.fromkeys(
        ("Save-Data", "Device-Memory", "Downlink", "RTT", "ECT", "User-Agent"), value
    )
    assert read_hints({}, headers) == Hints()
