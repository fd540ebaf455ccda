"""Owns the client process (`python -m benchmarks.load.client`): viewers that drag at times of their own.

Open loop: each message has an intended time, fixed before the drag began. One line of JSON is a command (`join`,
`drag`, `leave`) and is answered by one. Times are `time.monotonic()`, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.errors import BenchError
from benchmarks.load.tap import Tap
from benchmarks.viewers import Refused, Viewer

JOINING = 4  # viewers that connect at once
_SPEED = 90.0  # degrees a second
_TILT, _TILT_PERIOD = 8.0, 4.0  # degrees, seconds
_GOLDEN = 0.618034  # spreads phases and places evenly, however many there are
_LINE = 1 << 24  # bytes of one command at most


@dataclass(eq=False, slots=True)
class _Dragger:
    """One viewer that drags. lags: seconds by which its messages left late, which is this process' own fault."""

    viewer: Viewer
    tap: Tap
    place: float  # 0 to 1, its own
    seq: int = 0
    start: float = 0.0
    first: int = 0
    lags: list[float] = field(default_factory=list)

    def begin(self, start: float, rate: float, end: float, frame: Mapping[str, Any]) -> None:
        """Send a message every 1 / rate seconds from `start` on, out of step with the others."""
        self.tap.forget()
        self.lags.clear()
        self.start, self.first = start + self.place / rate, self.seq + 1
        loop = asyncio.get_running_loop()
        target = ",".join(f"{value:.4f}" for value in frame["target"])
        tail = f'{frame["radius"]:.4f}],"target":[{target}],"fov":{frame["fov"]}}}'

        def send(number: int) -> None:
            intended = self.start + number / rate
            self.seq += 1
            seconds = intended - start + self.place * 40
            theta = (_SPEED * seconds) % 360
            phi = 75 + _TILT * math.sin(2 * math.pi * seconds / _TILT_PERIOD)
            self.tap.send(f'{{"type":"camera","seq":{self.seq},"orbit":[{theta:.2f},{phi:.2f},{tail}')
            self.lags.append(time.monotonic() - intended)
            following = self.start + (number + 1) / rate
            if following < end:
                loop.call_at(following, send, number + 1)

        loop.call_at(self.start, send, 0)

    def report(self) -> dict[str, Any]:
        """What came of the drag."""
        tap = self.tap
        return {
            "start": self.start,
            "first": self.first,
            "sent": self.seq - self.first + 1,
            "arrivals": tap.arrivals,
            "shown": tap.shown,
            "packets": tap.packets,
            "octets": tap.octets,
            "resent": tap.resent,
        }


class Client:
    """Every viewer of this process."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._url = ""
        self._draggers: list[_Dragger] = []

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do one thing; what is to be said of it."""
        match command["do"]:
            case "join":
                return await self._join(command)
            case "drag":
                return await self._drag(command)
            case _:
                return await self._leave()

    async def _join(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Join `count` viewers; those refused are only counted."""
        self._url = command["url"]
        gate = asyncio.Semaphore(JOINING)
        failed: list[str] = []
        refused = 0

        async def one(place: float) -> None:
            nonlocal refused
            viewer = Viewer(command["codec"], command["adapter"], feedback=True)
            async with gate:
                try:
                    await viewer.join(self._http, command["url"], command["path"], tuple(command["size"]))
                    self._draggers.append(_Dragger(viewer, await viewer.take_over(), place))
                except Refused:
                    refused += 1
                except (BenchError, aiohttp.ClientError, TimeoutError) as error:
                    failed.append(str(error) or type(error).__name__)

        first = command["first"]
        await asyncio.gather(*(one((first + number) * _GOLDEN % 1) for number in range(command["count"])))
        gc.collect()
        gc.freeze()  # hundreds of thousands of objects that stay: looking through them would be felt as late frames
        return {"joined": len(self._draggers), "refused": refused, "failed": failed}

    async def _drag(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Drag from `start` to `end`; CPU is counted from `settled` on."""
        for dragger in self._draggers:
            dragger.begin(command["start"], command["rate"], command["end"], command["frame"])
        await asyncio.sleep(max(command["settled"] - time.monotonic(), 0))
        before = time.process_time()
        await asyncio.sleep(max(command["end"] - time.monotonic(), 0))
        spent = time.process_time() - before
        await asyncio.sleep(command["patience"])  # answers that are on their way
        lags = [lag for dragger in self._draggers for lag in dragger.lags]
        return {"viewers": [dragger.report() for dragger in self._draggers], "cpu": spent, "lags": lags}

    async def _leave(self) -> dict[str, Any]:
        for dragger in self._draggers:
            dragger.tap.close()
        gate = asyncio.Semaphore(JOINING)

        async def one(viewer: Viewer) -> None:
            async with gate:
                await viewer.leave(self._http, self._url)

        left = await asyncio.gather(*(one(dragger.viewer) for dragger in self._draggers), return_exceptions=True)
        self._draggers.clear()
        return {"failed": [str(error) for error in left if isinstance(error, Exception)]}


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    # a connection for each request, as strangers make them
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        client = Client(http)
        while line := await reader.readline():
            sys.stdout.write(json.dumps(await client.answer(json.loads(line))) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Answer commands until the input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
