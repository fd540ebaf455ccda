"""Server-sent events: what a viewer has to know when its peer connection cannot tell it. Knows sessions by name only.

`gone {"reason"}`: the session is lost, connect again. `goaway {"deadline_ms"}`: the server ends. A comment keeps
proxies from closing a line on which nothing happens, and finds listeners who went without a word.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import web

COMMENT_SECONDS = 20.0
STREAMS = 2  # open at once for a session: the newest; one that broke may not have been missed yet
EVENTS = 4  # that wait for one listener; there are no more in a session's life

Queue = asyncio.Queue[str | None]


def event(name: str, **data: object) -> str:
    """The text of one event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


@dataclass(eq=False, slots=True)
class Events:
    """The listeners of every session."""

    _queues: dict[str, list[Queue]] = field(default_factory=dict)

    async def stream(self, request: web.Request, name: str) -> web.StreamResponse:
        """Answer with events until the session is lost or its listener goes."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        response.content_type = "text/event-stream"
        queue = self._listen(name)
        try:
            await response.prepare(request)
            await response.write(b": here\n\n")
            await self._pass(queue, response)
        except ConnectionError:
            pass  # the listener is gone; it comes back when it wants to
        finally:
            self._leave(name, queue)
        return response

    def gone(self, name: str, reason: str) -> None:
        """A session is lost: the last event of its listeners."""
        for queue in self._queues.pop(name, ()):
            _put(queue, event("gone", reason=reason))
            _put(queue, None)

    def go_away(self, deadline_ms: int) -> None:
        """The server ends: everybody is told."""
        for queues in self._queues.values():
            for queue in queues:
                _put(queue, event("goaway", deadline_ms=deadline_ms))

    def close(self) -> None:
        """End every stream without a word: the listeners come back to the next gateway."""
        for queues in self._queues.values():
            for queue in queues:
                _put(queue, None)

    def _listen(self, name: str) -> Queue:
        queues = self._queues.setdefault(name, [])
        while len(queues) >= STREAMS:
            _put(queues.pop(0), None)
        queue: Queue = asyncio.Queue(EVENTS)
        queues.append(queue)
        return queue

    def _leave(self, name: str, queue: Queue) -> None:
        queues = self._queues.get(name, [])
        if queue in queues:
            queues.remove(queue)
            if not queues:
                del self._queues[name]

    @staticmethod
    async def _pass(queue: Queue, response: web.StreamResponse) -> None:
        while True:
            try:
                text = await asyncio.wait_for(queue.get(), COMMENT_SECONDS)
            except TimeoutError:
                text = ":\n\n"
            if text is None:
                return
            await response.write(text.encode())


def _put(queue: Queue, text: str | None) -> None:
    """Newest wins: what does not fit replaces the oldest."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)
