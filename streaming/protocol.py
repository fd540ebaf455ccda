"""The control protocol, version 1: one dataclass per message, strict reading, and the JSON schema made from both.

Two data channels, opened by the viewer. `camera` (unordered, not retransmitted) carries only `camera` messages: they
are absolute, the newest `seq` wins. `control` (reliable) carries the rest. JSON text, at most MAX_BYTES. Knows no
WebRTC.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias

from streaming.errors import ProtocolError

VERSION = 1
MAX_BYTES = 4096

Check: TypeAlias = Callable[[str, Any], Any]


def _spec(check: Check, schema: Mapping[str, Any], default: Any = MISSING) -> Any:
    return field(metadata={"check": check, "schema": schema}, default=default)


def _number(low: float, high: float) -> Any:
    return _spec(_number_check(low, high), {"type": "number", "minimum": low, "maximum": high})


def _number_check(low: float, high: float, place: str = "") -> Check:
    """place: what follows the member's name in errors."""

    def check(name: str, value: Any) -> float:
        if type(value) is float and low <= value <= high:  # what a camera is made of; NaN is in no range
            return value
        name += place
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ProtocolError("bad-type", f"{name} must be a number, not {_kind(value)}")
        if not low <= value <= high or not math.isfinite(value):
            raise ProtocolError("out-of-range", f"{name} must be from {low:g} to {high:g}, not {_short(value)}")
        return float(value)

    return check


def _integer(low: int, high: int) -> Any:
    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ProtocolError("bad-type", f"{name} must be an integer, not {_kind(value)}")
        if not low <= value <= high:
            raise ProtocolError("out-of-range", f"{name} must be from {low} to {high}, not {_short(value)}")
        return value

    return _spec(check, {"type": "integer", "minimum": low, "maximum": high})


def _text(longest: int, *, null: bool = False) -> Any:
    def check(name: str, value: Any) -> str | None:
        if value is None and null:
            return None
        if not isinstance(value, str):
            raise ProtocolError("bad-type", f"{name} must be a text{' or null' if null else ''}, not {_kind(value)}")
        if len(value) > longest:
            raise ProtocolError("out-of-range", f"{name} may have {longest} characters, not {len(value)}")
        return value

    return _spec(check, {"type": ["string", "null"] if null else "string", "maxLength": longest})


def _flag() -> Any:
    def check(name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ProtocolError("bad-type", f"{name} must be true or false, not {_kind(value)}")
        return value

    return _spec(check, {"type": "boolean"})


def _triple(*ranges: tuple[float, float]) -> Any:
    first, second, third = (_number_check(*limits, f"[{i}]") for i, limits in enumerate(ranges))

    def check(name: str, value: Any) -> tuple[float, float, float]:
        if not isinstance(value, list) or len(value) != len(ranges):
            raise ProtocolError("bad-type", f"{name} must be a list of {len(ranges)} numbers")
        return first(name, value[0]), second(name, value[1]), third(name, value[2])

    items = [{"type": "number", "minimum": low, "maximum": high} for low, high in ranges]
    return _spec(check, {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)})


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return "null" if value is None else names[type(value)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


_METRES = (-1e6, 1e6)


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the viewer looks from. orbit: theta °, phi ° from +Y, radius m; target: m; fov: vertical °."""

    type: ClassVar[str] = "camera"
    seq: int = _integer(0, 2**53)
    orbit: tuple[float, float, float] = _triple((-36000.0, 36000.0), (0.0, 180.0), (1e-6, 1e6))
    target: tuple[float, float, float] = _triple(_METRES, _METRES, _METRES)
    fov: float = _number(1.0, 170.0)


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message; answered by `ready`."""

    type: ClassVar[str] = "hello"
    version: int = _integer(0, 2**31)


@dataclass(frozen=True, slots=True)
class Viewport:
    """Size of the picture in pixels; rounded to multiples of 8 and bounded in its product."""

    type: ClassVar[str] = "viewport"
    width: int = _integer(1, 16384)
    height: int = _integer(1, 16384)


@dataclass(frozen=True, slots=True)
class Variant:
    """A material variant of the model by its name, null for the file's default."""

    type: ClassVar[str] = "variant"
    name: str | None = _text(256, null=True)


@dataclass(frozen=True, slots=True)
class Animation:
    """An animation by its name, null for none; whether it plays; and its time in seconds."""

    type: ClassVar[str] = "animation"
    name: str | None = _text(256, null=True)
    play: bool = _flag()
    time: float = _number(0.0, 1e6)


@dataclass(frozen=True, slots=True)
class Environment:
    """The light, by a name listed in `ready`."""

    type: ClassVar[str] = "environment"
    name: str = _text(256)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Exposure in stops; 0 is as it is."""

    type: ClassVar[str] = "exposure"
    ev: float = _number(-16.0, 16.0)


@dataclass(frozen=True, slots=True)
class MaterialChannel:
    """One input of the materials instead of the lit picture, by a name that GET /channels lists; null for the picture.

    Optional: a server that does not offer it answers with an error, a viewer that never sends it sees no difference.
    """

    type: ClassVar[str] = "channel"
    name: str | None = _text(64, null=True)


@dataclass(frozen=True, slots=True)
class Pick:
    """What is at a point of the picture; x from the left, y from the top, 0 to 1. Answered by `picked`."""

    type: ClassVar[str] = "pick"
    id: int = _integer(0, 2**53)
    x: float = _number(0.0, 1.0)
    y: float = _number(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by `pong` with the same t."""

    type: ClassVar[str] = "ping"
    t: float = _number(-1e18, 1e18)


@dataclass(frozen=True, slots=True)
class Report:
    """What the viewer saw go wrong since its last report: how often the picture froze under its hand, and for how long.

    Sent only when something happened, and seldom. The server counts it; nothing depends on it.
    """

    type: ClassVar[str] = "report"
    freezes: int = _integer(0, 1000)
    frozen_ms: float = _number(0.0, 600_000.0)


@dataclass(frozen=True, slots=True)
class Ready:
    """The model and what can be chosen. bounds: corners in metres; the lists are names.

    Told again when the whole model has taken the place of its preview and any of this is different.
    """

    type: ClassVar[str] = "ready"
    version: int
    model: str
    bounds: dict[str, list[float]]
    variants: list[str]
    animations: list[str]
    cameras: list[str]
    environments: list[str]


@dataclass(frozen=True, slots=True)
class FrameShown:
    """The picture with RTP timestamp `rtp` is the first that shows camera input `seq`."""

    type: ClassVar[str] = "frame"
    rtp: int
    seq: int


@dataclass(frozen=True, slots=True)
class Picked:
    """What a pick met: the node's name, the point in metres and its unit normal; all null for the background.

    Of a secret model point and normal are null, too.
    """

    type: ClassVar[str] = "picked"
    id: int
    node: str | None
    position: list[float] | None
    normal: list[float] | None


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server ends this session within `deadline_ms`; connect again."""

    type: ClassVar[str] = "goaway"
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to `ping`."""

    type: ClassVar[str] = "pong"
    t: float


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A message was not accepted; the session goes on."""

    type: ClassVar[str] = "error"
    code: str
    message: str


Inbound: TypeAlias = (
    Camera | Hello | Viewport | Variant | Animation | Environment | Exposure | MaterialChannel | Pick | Ping | Report
)
Outbound: TypeAlias = Ready | FrameShown | Picked | GoAway | Pong | ErrorReply

CAMERA_CHANNEL: Mapping[str, type[Inbound]] = {"camera": Camera}
CONTROL_CHANNEL: Mapping[str, type[Inbound]] = {
    kind.type: kind
    for kind in (Hello, Viewport, Variant, Animation, Environment, Exposure, MaterialChannel, Pick, Ping, Report)
}
OUTBOUND: tuple[type[Outbound], ...] = (Ready, FrameShown, Picked, GoAway, Pong, ErrorReply)
CHANNELS: Mapping[str, Mapping[str, type[Inbound]]] = {"camera": CAMERA_CHANNEL, "control": CONTROL_CHANNEL}

# Name, name in errors, and check of each member: looked up for each message.
_MEMBERS: Mapping[type[Inbound], tuple[tuple[str, str, Check], ...]] = {
    kind: tuple((member.name, f"{kind.type}.{member.name}", member.metadata["check"]) for member in fields(kind))
    for kinds in CHANNELS.values()
    for kind in kinds.values()
}


def parse(channel: str, text: str | bytes) -> Inbound:
    """Read one message of a channel. Raises ProtocolError for anything but a well-formed message of this version."""
    if len(text) > MAX_BYTES:
        raise ProtocolError("too-large", f"a message may have {MAX_BYTES} bytes, not {len(text)}")
    if isinstance(text, bytes):
        raise ProtocolError("bad-type", "a message must be text, not binary")
    try:
        data = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise ProtocolError("bad-json", "a message must be JSON without NaN or Infinity") from None
    if not isinstance(data, dict):
        raise ProtocolError("bad-type", f"a message must be an object, not {_kind(data)}")
    name = data.get("type")
    kind = CHANNELS[channel].get(name) if isinstance(name, str) else None
    if kind is None:
        raise ProtocolError("unknown-type", f"type {_short(name)} does not belong on the {channel} channel")
    return from_dict(kind, data)


def from_dict(kind: type[Inbound], data: Mapping[str, Any]) -> Inbound:
    """Check the members of one message; members that the protocol does not know are an error too."""
    values = {}
    for name, full, check in _MEMBERS[kind]:
        if name not in data:
            raise ProtocolError("missing", f"{kind.type} needs {name}")
        values[name] = check(full, data[name])
    if len(data) > len(values) + ("type" in data):
        extra = sorted(data.keys() - values.keys() - {"type"})
        raise ProtocolError("unknown-member", f"{kind.type} has no {_short(extra[0])}")
    return kind(**values)


def dump(message: Inbound | Outbound) -> str:
    """The JSON text of a message."""
    return _ENCODER.encode({"type": message.type} | {name: getattr(message, name) for name in message.__slots__})


def dump_frame(rtp: int, seq: int) -> str:
    """What `dump` says of a `FrameShown`, which leaves with every picture, in a tenth of its time."""
    return f'{{"type":"frame","rtp":{rtp},"seq":{seq}}}'


def _no_constant(name: str) -> float:
    raise ValueError(name)


# `json.loads` and `json.dumps` would make one of these for each message: half of what reading a camera costs.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every message, made from the dataclasses above."""
    inbound = [kind for kinds in CHANNELS.values() for kind in kinds.values()]
    definitions = {kind.type: _definition(kind) for kind in (*inbound, *OUTBOUND)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Vitrine control protocol, version {VERSION}",
        "$defs": definitions,
        "channels": {
            "camera": {"toServer": list(CAMERA_CHANNEL), "toViewer": []},
            "control": {"toServer": list(CONTROL_CHANNEL), "toViewer": [kind.type for kind in OUTBOUND]},
        },
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
    }


_OUTBOUND_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "str | None": {"type": ["string", "null"]},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "list[float] | None": {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
    "dict[str, list[float]]": {
        "type": "object",
        "properties": {
            corner: {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
            for corner in ("min", "max")
        },
        "required": ["min", "max"],
    },
}


def _definition(kind: type[Inbound] | type[Outbound]) -> dict[str, Any]:
    members: dict[str, Any] = {"type": {"const": kind.type}}
    members.update({member.name: _member_schema(member) for member in fields(kind)})
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _member_schema(member: Field[Any]) -> Mapping[str, Any]:
    known: Mapping[str, Any] | None = member.metadata.get("schema")
    return known if known is not None else _OUTBOUND_SCHEMAS[str(member.type)]


if __name__ == "__main__":
    import sys

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
