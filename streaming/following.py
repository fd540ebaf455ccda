"""How far a model is, as server-sent events for whoever waits for it. Begins no fetch.

`progress {"stage": "fetch"|"decode", "done", "total"}`, with bytes for `fetch`, at most ten a second; `poster {"url"}`
first, where the release has one; at last `end {"outcome": "ready"}`, `{"outcome": "failed", "code", "message"}` or,
where nothing is under way, `{"outcome": "idle"}`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from assets.store import Asset
from streaming.errors import SignallingError
from streaming.events import COMMENT_SECONDS, event
from streaming.preparing import Job, Preparing

LISTENERS = 1024  # at once
PAUSE_SECONDS = 0.1  # between two events


class Following:
    """The streams of all models."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing
        self._listeners = 0

    async def stream(self, request: web.Request, asset: Asset, poster: str | None) -> web.StreamResponse:
        """Answer with events until the model is ready or has failed. poster: its address. Raises SignallingError."""
        if self._listeners >= LISTENERS:
            raise SignallingError(503, "busy", f"{LISTENERS} streams of progress are open already")
        self._listeners += 1
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        try:
            await response.prepare(request)
            if poster is not None:
                await response.write(event("poster", url=poster).encode())
            await self._tell(response, self._preparing.job(asset.id))
        except ConnectionError:
            pass  # the listener is gone
        finally:
            self._listeners -= 1
        return response

    async def _tell(self, response: web.StreamResponse, job: Job | None) -> None:
        while job is not None and not job.over:
            changed, stage = job.changed, job.stage
            await response.write(event("progress", stage=stage.name, done=stage.done, total=stage.total).encode())
            await asyncio.sleep(PAUSE_SECONDS)
            if not await _within(changed, COMMENT_SECONDS):
                await response.write(b":\n\n")
        await response.write(_end(job).encode())


async def _within(news: asyncio.Event, seconds: float) -> bool:
    """Whether it happens in time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), seconds)
        return True
    return False


def _end(job: Job | None) -> str:
    if job is None:
        return event("end", outcome="idle")
    error = job.error
    if error is None:
        return event("end", outcome="ready")
    code = error.code if isinstance(error, SignallingError) else "restarting"
    return event("end", outcome="failed", code=code, message=str(error))
