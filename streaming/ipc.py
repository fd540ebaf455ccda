"""Messages between the processes over Unix-domain sockets: framing, requests with answers. Knows no media, no HTTP.

A message is a length (u32), a kind (u8) and a body. JSON messages carry an optional blob behind the text; packets and
cameras, which come often, are packed structs. Every message is bounded; a peer that breaks the framing is dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from streaming.errors import ProcessLost, SignallingError

MAX_MESSAGE = 80 << 20  # bytes; the largest is an uncompressed still
TOGETHER = 256  # bytes of acknowledgements and cameras that wait for each other, within one turn of the event loop
MAX_UNITS = 255  # NAL units of one picture whose sizes cross with it
MAX_REQUESTS = 1024  # unanswered at once on one link

_HEAD = struct.Struct("<IB")
_JSON = struct.Struct("<I")
_PACKET = struct.Struct("<IIqBB")
_UNIT = 4  # bytes
_ACK = struct.Struct("<I")
_CAMERA = struct.Struct("<Iq7d")

Params = dict[str, Any]
logger = logging.getLogger(__name__)


class Kind(IntEnum):
    """What a message's body is."""

    JSON = 0
    PACKET = 1
    ACK = 2
    CAMERA = 3


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded picture on its way to a viewer.

    session: the viewer's number. timestamp: 90 kHz, modulo 2^32. seq: the newest camera input it shows, -1 = none.
    key: decodable on its own. data: H.264 Annex B or one VP8 frame. units: bytes of each NAL unit in it with its start
    code, where the encoder knows; else nothing, and whoever needs them looks for them.
    """

    session: int
    timestamp: int
    seq: int
    key: bool
    data: bytes
    units: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraInput:
    """A camera message, already checked. orbit: degrees, degrees, metres; target: metres; fov: degrees."""

    session: int
    seq: int
    orbit: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request returns: JSON, and bytes behind it."""

    result: Any
    blob: bytes = b""


class Handler:
    """What a link's owner may receive; the default refuses or ignores."""

    async def on_request(self, method: str, params: Params) -> Answer:
        """Answer a request; a SignallingError travels back to the asker."""
        raise SignallingError(500, "unknown-method", f"nobody answers {method!r} here ({len(params)} parameters)")

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """Something to know; no answer."""

    def on_packet(self, packet: Packet) -> None:
        """An encoded picture."""

    def on_ack(self, session: int) -> None:
        """The peer has sent one picture of this session on."""

    def on_camera(self, camera: CameraInput) -> None:
        """A viewer's camera."""

    def on_lost(self, link: Link) -> None:
        """The peer is gone; no more calls follow."""


class Link(asyncio.Protocol):
    """One end of a socket between two of our processes; lives on one event loop."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.name = "?"
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._small = bytearray()  # acknowledgements and cameras of this turn of the event loop, sent at its end
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._paths: dict[int, Callable[[memoryview], None]] = {
            Kind.JSON: self._on_json,
            Kind.PACKET: self._on_packet,
            Kind.ACK: self._on_ack,
            Kind.CAMERA: self._on_camera,
        }

    # -- sending ------------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes that wait for the peer to read."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def packet(self, packet: Packet) -> None:
        """Send an encoded picture."""
        units = packet.units if len(packet.units) <= MAX_UNITS else ()
        head = _PACKET.pack(packet.session, packet.timestamp, packet.seq, packet.key, len(units))
        self._send(Kind.PACKET, head + struct.pack(f"<{len(units)}I", *units) + packet.data)

    def ack(self, session: int) -> None:
        """Tell that one picture has been sent on."""
        self._send_soon(Kind.ACK, _ACK.pack(session))

    def camera(self, camera: CameraInput) -> None:
        """Send a camera."""
        body = _CAMERA.pack(camera.session, camera.seq, *camera.orbit, *camera.target, camera.fov)
        self._send_soon(Kind.CAMERA, body)

    def notice(self, method: str, **params: Any) -> None:
        """Send something to know."""
        self._json({"method": method, "params": params})

    async def request(self, method: str, **params: Any) -> Answer:
        """Ask and wait. Raises SignallingError as the peer did, ProcessLost when it ends before it answers."""
        if self.closed:
            raise ProcessLost(f"{self.name} is not running")
        if len(self._waiting) >= MAX_REQUESTS:
            raise SignallingError(503, "busy", f"{self.name} has {MAX_REQUESTS} unanswered requests")
        number = next(self._ids)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._json({"id": number, "method": method, "params": params})
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Close this end; `on_lost` follows on both."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _json(self, message: Params, blob: bytes = b"") -> None:
        text = json.dumps(message).encode()
        self._send(Kind.JSON, _JSON.pack(len(text)) + text + blob)

    def _send(self, kind: Kind, body: bytes) -> None:
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_HEAD.pack(len(body), kind) + body)

    def _send_soon(self, kind: Kind, body: bytes) -> None:
        """What is small and comes often: a few viewers' at once, with one system call."""
        if not self._small:
            asyncio.get_running_loop().call_soon(self._flush)
        self._small += _HEAD.pack(len(body), kind) + body
        if len(self._small) >= TOGETHER:  # a busy loop's turn may last for milliseconds
            self._flush()

    def _flush(self) -> None:
        if self._small:
            small, self._small = bytes(self._small), bytearray()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(small)

    # -- receiving ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is open."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came; deliver every whole message."""
        buffer = self._buffer
        buffer += data
        at = 0
        view = memoryview(buffer)
        try:
            while len(buffer) - at >= _HEAD.size:
                length, kind = _HEAD.unpack_from(buffer, at)
                if length > MAX_MESSAGE or kind not in self._paths:
                    logger.error("%s sent a message of kind %d and %d bytes; link closed", self.name, kind, length)
                    self.close()
                    return
                if len(buffer) - at < _HEAD.size + length:
                    break
                with view[at + _HEAD.size : at + _HEAD.size + length] as body:  # released whatever a handler raises
                    self._paths[kind](body)
                at += _HEAD.size + length
        finally:
            view.release()
            del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the socket is gone."""
        self._transport = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ProcessLost(f"{self.name} ended before it answered"))
        for task in self._tasks:
            task.cancel()
        self.handler.on_lost(self)

    def _on_packet(self, body: memoryview) -> None:
        session, timestamp, seq, key, count = _PACKET.unpack_from(body)
        units = struct.unpack_from(f"<{count}I", body, _PACKET.size)
        data = bytes(body[_PACKET.size + _UNIT * count :])
        self.handler.on_packet(Packet(session, timestamp, seq, bool(key), data, units))

    def _on_ack(self, body: memoryview) -> None:
        self.handler.on_ack(_ACK.unpack_from(body)[0])

    def _on_camera(self, body: memoryview) -> None:
        session, seq, theta, phi, radius, x, y, z, fov = _CAMERA.unpack_from(body)
        self.handler.on_camera(CameraInput(session, seq, (theta, phi, radius), (x, y, z), fov))

    def _on_json(self, body: memoryview) -> None:
        (length,) = _JSON.unpack_from(body)
        end = _JSON.size + length
        message = json.loads(bytes(body[_JSON.size : end]))
        if "method" not in message:
            self._resolve(message, bytes(body[end:]))
        elif "id" in message:
            self._spawn(self._answer(message))
        else:
            self.handler.on_notice(self, message["method"], message["params"])

    def _resolve(self, message: Params, blob: bytes) -> None:
        future = self._waiting.get(message["id"])
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(Answer(message["result"], blob))
        else:
            future.set_exception(SignallingError(error["status"], error["code"], error["message"]))

    async def _answer(self, message: Params) -> None:
        try:
            answer = await self.handler.on_request(message["method"], message["params"])
        except SignallingError as error:
            body = {"status": error.status, "code": error.code, "message": str(error)}
            self._json({"id": message["id"], "error": body})
        except Exception:
            logger.exception("%s failed", message["method"])
            body = {"status": 500, "code": "internal", "message": "a fault of the server; its log has the details"}
            self._json({"id": message["id"], "error": body})
        else:
            self._json({"id": message["id"], "result": answer.result}, answer.blob)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def connect(path: str, handler: Handler, name: str) -> Link:
    """Open a link to the process that listens at `path`."""
    _, link = await asyncio.get_running_loop().create_unix_connection(lambda: Link(handler), path)
    link.name = name
    return link


async def listen(path: str, handler: Handler) -> asyncio.Server:
    """Accept links at `path`; each names itself by its first notice."""
    return await asyncio.get_running_loop().create_unix_server(lambda: Link(handler), path)
