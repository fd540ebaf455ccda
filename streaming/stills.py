"""Stills: a view of a model as PNG, JPEG or WebP, made once, kept in memory under a bound. Draws nothing itself."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
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
    """A still, completely told. model, version: of the store."""

    model: str
    version: str
    path: str
    extension: str
    view: View
    samples: int

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
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    async def get(self, request: StillRequest) -> tuple[bytes, str]:
        """The encoded picture and where it came from ("cache" or "render"). Raises SignallingError."""
        key = request.key
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached, "cache"
        task = self._making.get(key)
        if task is None:
            if len(self._making) >= self.concurrency + self.queue:
                raise SignallingError(503, "busy", f"{len(self._making)} stills are already waiting")
            task = asyncio.create_task(self._make(request))
            self._making[key] = task
            task.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(task), "render"

    async def _make(self, request: StillRequest) -> bytes:
        async with self._slots:
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
