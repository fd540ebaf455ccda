"""Which way a product reaches a device: as a model, as a stream or as a turn of pictures. Pure: asks and opens nothing.

The rule is "never worse than a viewer on the device itself" (docs/delivery.md has it in words):

1. a device gets the model where it can draw it well, may have it, and has it as soon as a stream's first picture;
2. else a stream, where one is possible and wanted;
3. else a turn of pictures, or the model after all, or the stream's line of those who wait.

Hints come from anybody and may be anything: what is not understood counts as not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streaming.config import Config

Mode = Literal["client", "stream", "spin"]
Device = Literal["phone", "tablet", "desktop"]
Page = Literal["page", "server", "none"]

HINT_HEADERS = (
    "Save-Data",
    "Device-Memory",
    "Sec-CH-Device-Memory",
    "Viewport-Width",
    "Sec-CH-Viewport-Width",
    "Downlink",
    "ECT",
    "RTT",
    "Sec-CH-UA-Mobile",
    "Sec-CH-UA-Platform",
    "User-Agent",
)
MAX_HINT = 256  # characters of one that are looked at
# What a browser means by a kind of connection, Mbit/s (Network Information API, table of effective types).
DOWNLINKS = {"slow-2g": 0.05, "2g": 0.07, "3g": 0.7}
HIGHEST_DOWNLINK = 10.0  # Mbit/s: browsers tell no more, so that nobody is known by it
USUAL_RTT = 0.05  # s, where nobody says
CLIENT_TRIPS = 2  # round trips: the request, and the first packets after which a connection is up to speed
STREAM_TRIPS = 4  # offer and answer, ICE, and the two of DTLS
WEAK_MEMORY = 2.0  # GiB: a device with no more draws and holds a quarter
NARROW = 768  # CSS pixels: what is less wide is a phone, where nothing else says so

_NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,7})?")
_MOBILE = re.compile(r"\b(Mobi|Mobile|iPhone|iPod)\b")
_TABLET = re.compile(r"\b(iPad|Android|Tablet)\b")
_DESKTOP = re.compile(r"\b(Windows NT|Macintosh|X11|CrOS)\b")


@dataclass(frozen=True, slots=True)
class Release:
    """What there is to give. client, spin: bytes of the GLB for devices and of all pictures of a turn, None = none."""

    client: int | None = None
    triangles: int | None = None  # None: nobody counted them
    spin: int | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Hints:
    """What a device says of itself; None: nothing. memory: GiB; width: CSS pixels; downlink: Mbit/s; rtt: seconds.

    page: who brings a viewer that draws on the device: the page, this server if it has one, or nobody.
    """

    device: Device | None = None
    memory: float | None = None
    width: float | None = None
    downlink: float | None = None
    rtt: float | None = None
    save_data: bool = False
    webgl: bool | None = None
    webrtc: bool | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The way, and why: a word for programs and a sentence for people."""

    mode: Mode
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why not one way. firm: it cannot be gone; else there are only better ones."""

    code: str
    reason: str
    firm: bool = True


def choose(release: Release, hints: Hints, *, room: bool, config: Config) -> Choice:
    """The way for this device. room: whether the host would let a viewer in now."""
    local = _against_client(release, hints, config)
    if local is None:
        return Choice("client", "light", "the device draws this model itself, and has it as soon as a stream's picture")
    remote = _against_stream(hints, room, config)
    if remote is None:
        return Choice("stream", local.code, local.reason)
    if release.spin is not None:
        return Choice("spin", remote.code, remote.reason)
    if remote.firm and not local.firm:
        return Choice("client", remote.code, remote.reason)
    return Choice("stream", local.code, local.reason)


def _against_client(release: Release, hints: Hints, config: Config) -> _Obstacle | None:
    """Why the device should not draw it itself."""
    if release.secret:
        return _Obstacle("secret", "the model is secret: only its picture leaves the server")
    if release.client is None:
        return _Obstacle("no-file", "there is no file of this model for devices")
    if hints.webgl is False:
        return _Obstacle("no-webgl", "the device has no WebGL")
    if hints.page == "none" or (hints.page == "server" and not config.model_viewer):
        return _Obstacle("no-viewer", "the page has no viewer that draws on the device")
    return _too_heavy(release.client, release.triangles, hints, config) or _too_slow(release, hints, config)


def _too_heavy(size: int, triangles: int | None, hints: Hints, config: Config) -> _Obstacle | None:
    desktop = _device(hints) == "desktop"
    share = 0.25 if hints.memory is not None and hints.memory <= WEAK_MEMORY else 1.0
    most = int(share * (config.delivery_triangles_desktop if desktop else config.delivery_triangles_phone))
    if triangles is not None and triangles > most:
        return _Obstacle("triangles", f"{triangles} triangles, and this device should draw at most {most}")
    allowed = int(share * config.delivery_bytes)
    if size > allowed:
        return _Obstacle("bytes", f"the file has {size} bytes, and this device should read at most {allowed}")
    return None


def _too_slow(release: Release, hints: Hints, config: Config) -> _Obstacle | None:
    """A file that is there later than a stream's first picture, or that costs more data than it has to."""
    size = release.client or 0
    if hints.save_data and release.spin is not None and size > release.spin:
        return _Obstacle("data", f"data is to be saved: the file has {size} bytes, a turn {release.spin}", firm=False)
    client, stream = client_seconds(size, hints, config), stream_seconds(hints, config)
    if client > stream:
        told = f"the file takes about {client:.1f} s here, a stream about {stream:.1f} s"
        return _Obstacle("slower", told, firm=False)
    return None


def _against_stream(hints: Hints, room: bool, config: Config) -> _Obstacle | None:
    """Why it should not be streamed. Firm is what waiting or patience on the device would not mend."""
    if hints.webrtc is False:
        return _Obstacle("no-webrtc", "the device cannot receive a stream")
    if hints.save_data:
        return _Obstacle("save-data", "the visitor wants to save data", firm=False)
    if hints.downlink is not None and hints.downlink < config.delivery_stream_downlink:
        told = f"{hints.downlink:g} Mbit/s are too few for a stream, which needs {config.delivery_stream_downlink:g}"
        return _Obstacle("slow-network", told, firm=False)
    if not room:
        return _Obstacle("no-capacity", "no place for another stream is free now")
    return None


def client_seconds(size: int, hints: Hints, config: Config) -> float:
    """About how long a file of so many bytes is on its way."""
    told = hints.downlink
    downlink = config.delivery_downlink if told is None or told >= HIGHEST_DOWNLINK else max(told, 0.01)
    return CLIENT_TRIPS * _rtt(hints) + 8e-6 * size / downlink


def stream_seconds(hints: Hints, config: Config) -> float:
    """About how long a stream takes to its first picture."""
    return STREAM_TRIPS * _rtt(hints) + config.delivery_seconds


def _rtt(hints: Hints) -> float:
    return USUAL_RTT if hints.rtt is None else hints.rtt


def _device(hints: Hints) -> Device:
    """A device that says nothing counts as the weakest."""
    if hints.device is not None:
        return hints.device
    return "phone" if hints.width is None or hints.width < NARROW else "desktop"


# -- what devices say --------------------------------------------------------------------------------------------------


def read_hints(query: Mapping[str, str], headers: Mapping[str, str]) -> Hints:
    """Hints of a request: what its query says, else its headers. Never fails."""

    def told(key: str, *names: str) -> str:
        values = [query.get(key, ""), *(headers.get(name, "") for name in names)]
        return next((value for value in values if value), "")[:MAX_HINT].strip()

    downlink = _number(told("downlink", "Downlink"), 0.0, 1e6)
    if downlink is None:
        downlink = DOWNLINKS.get(told("ect", "ECT").lower())
    rtt = _number(told("rtt", "RTT"), 0.0, 60_000.0)
    return Hints(
        device=_kind(told("device").lower(), headers),
        memory=_number(told("memory", "Sec-CH-Device-Memory", "Device-Memory"), 0.0, 1e5),
        width=_number(told("width", "Sec-CH-Viewport-Width", "Viewport-Width"), 1.0, 1e5),
        downlink=downlink,
        rtt=None if rtt is None else rtt / 1000,
        save_data=_flag(told("saveData", "Save-Data")) or False,
        webgl=_flag(told("webgl")),
        webrtc=_flag(told("webrtc")),
        page=_page(told("viewer").lower()),
    )


def _number(text: str, low: float, high: float) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if low <= value <= high else None


def _flag(text: str) -> bool | None:
    word = text.lower()
    if word in ("1", "2", "true", "on", "yes", "?1"):  # 2: of WebGL, where its version is told
        return True
    return False if word in ("0", "false", "off", "no", "?0") else None


def _page(text: str) -> Page | None:
    match text:
        case "page" | "server" | "none":
            return text
    return None


def _kind(text: str, headers: Mapping[str, str]) -> Device | None:
    """What the query calls it; else what its browser says."""
    match text:
        case "phone" | "tablet" | "desktop":
            return text
        case "mobile":
            return "phone"
    mobile = _flag(headers.get("Sec-CH-UA-Mobile", "").strip())
    platform = headers.get("Sec-CH-UA-Platform", "")[:MAX_HINT].strip(' "')
    agent = headers.get("User-Agent", "")[:MAX_HINT]
    if mobile or _MOBILE.search(agent):
        return "phone"
    if platform in ("Android", "iOS") or _TABLET.search(agent):
        return "tablet"
    return "desktop" if mobile is False or _DESKTOP.search(agent) else None
