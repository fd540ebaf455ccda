"""Stills: a view of a model as PNG, JPEG or WebP, made once, kept in memory under a bound. Draws nothing itself."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from renderer.view import View
from streaming.errors import SignallingError
from streaming.ipc import Answer
from streaming.viewspec import VIEW_KEYS, parse_view, view_to_json

CONTENT_TYPES: Mapping[str, str] = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
KEYS = VIEW_KEYS | {"samples"}
MAX_SAMPLES = 64
DEFAULT = View(width=1280, height=720)
RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class StillRequest:
    """A still, completely told. model, version, secret: of the store; path: of the model's file, where it is needed."""

    model: str
    version: str
    extension: str
    view: View
    samples: int
    path: str = ""
    secret: bool = False

    @property
    def key(self) -> str:
        """Names the content: equal keys, equal pictures."""
        told = [self.model, self.version, self.extension, self.samples, view_to_json(self.view)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def parse_still(query: Mapping[str, str], *, max_pixels: int, samples: int, ground: bool = False) -> tuple[View, int]:
    """View and samples of a query; samples and ground are for where it says nothing.

    Raises SignallingError 400 for keys and values that are not understood.
    """
    unknown = sorted(set(query) - KEYS)
    if unknown:
        raise SignallingError(400, "bad-query", f"unknown key {unknown[0][:64]!r}; allowed: {', '.join(sorted(KEYS))}")
    text = query.get("samples", str(samples))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_SAMPLES:
        raise SignallingError(400, "bad-query", f"samples={text[:64]!r}: expected 1 to {MAX_SAMPLES}")
    return parse_view(query, base=replace(DEFAULT, ground=ground), max_pixels=max_pixels), int(text)


class Rota:
    """So many at once. Who waits does so by name, and names take turns: many requests of one do not delay another's."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def waiting(self, who: str) -> int:
        """How many wait by that name."""
        return len(self._waiting.get(who, ()))

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """Wait for a place, and give it back."""
        if self._free:
            self._free -= 1
        else:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(who, deque()).append(future)
            await self._wait(future)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, future: asyncio.Future[None]) -> None:
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():  # it was just given the place
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            who, futures = self._waiting.popitem(last=False)
            future = futures.popleft()
            if futures:
                self._waiting[who] = futures  # behind the others
            if not future.done():
                future.set_result(None)
                return
        self._free += 1


@dataclass(eq=False, slots=True)
class Stills:
    """The cache and the line before the renderer. render(request) answers raw RGBA."""

    render: Callable[[StillRequest], Awaitable[Answer]]
    concurrency: int
    queue: int
    cache_bytes: int
    _cache: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _size: int = 0
    _making: dict[str, asyncio.Task[bytes]] = field(default_factory=dict)
    _rota: Rota = field(init=False)

    def __post_init__(self) -> None:
        self._rota = Rota(self.concurrency)

    def __contains__(self, key: str) -> bool:
        return key in self._cache

    async def get(self, request: StillRequest, who: str = "") -> tuple[bytes, str]:
        """The encoded picture and where it came from ("cache" or "render"). Raises SignallingError.

        who: the address that asks; "" is not limited to half of the line.
        """
        key = request.key
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached, "cache"
        task = self._making.get(key)
        if task is None:
            self._check(who)
            task = asyncio.create_task(self._make(request, who))
            self._making[key] = task
            task.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(task), "render"

    def _check(self, who: str) -> None:
        if len(self._making) >= self.concurrency + self.queue:
            raise SignallingError(503, "busy", f"{len(self._making)} stills are already waiting")
        waiting = self._rota.waiting(who) if who else 0
        if waiting and waiting >= self.queue // 2:
            raise SignallingError(503, "busy", f"{waiting} stills for this address are already waiting")

    async def _make(self, request: StillRequest, who: str) -> bytes:
        async with self._rota.turn(who):
            answer = await self.render(request)
            size = (answer.result["width"], answer.result["height"])
            data = await asyncio.to_thread(encode, answer.blob, size, request.extension)
        self._keep(request.key, data)
        return data

    def _keep(self, key: str, data: bytes) -> None:
        self._cache[key] = data
        self._size += len(data)
        while self._size > self.cache_bytes:
            self._size -= len(self._cache.popitem(last=False)[1])


def encode(pixels: bytes, size: tuple[int, int], extension: str) -> bytes:
    """RGBA (top row first, straight alpha) as a file. JPEG has no alpha: it is laid over white."""
    from PIL import Image

    image = Image.frombytes("RGBA", size, pixels)
    out = io.BytesIO()
    if extension == "png":
        image.save(out, "PNG", compress_level=4)
    elif extension == "webp":
        image.save(out, "WEBP", quality=88, method=3)
    else:
        ground = Image.new("RGBA", size, (255, 255, 255, 255))
        Image.alpha_composite(ground, image).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()
