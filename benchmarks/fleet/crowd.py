"""Owns the shoppers' process (`python -m benchmarks.fleet.crowd`): commands as lines of JSON, one answer each.

{"do": "join", "count", "url", "path"} · {"do": "report"}: what every shopper saw so far, monotonic seconds ·
{"do": "leave"}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

import aiohttp

from benchmarks.fleet.shopper import Shopper

TOGETHER = 3  # that join at once
_POSE = [0.0, 75.0, 2.0, 0.0, 0.0, 0.0, 30.0]
_SIZE = (160, 120)


class Crowd:
    """Every shopper of this process."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._shoppers: list[Shopper] = []

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do one thing; what is to be said of it."""
        match command["do"]:
            case "join":
                await self._join(command["count"], command["url"], command["path"])
                return {"joined": len(self._shoppers)}
            case "report":
                return {"now": time.monotonic(), "shoppers": [_told(shopper) for shopper in self._shoppers]}
            case _:
                await asyncio.gather(*(shopper.leave() for shopper in self._shoppers))
                return {"left": len(self._shoppers)}

    async def _join(self, count: int, url: str, path: str) -> None:
        gate = asyncio.Semaphore(TOGETHER)
        new = [Shopper(self._http, url, path, _SIZE, [40.0 * n, *_POSE[1:]]) for n in range(count)]

        async def one(shopper: Shopper) -> None:
            async with gate:
                await shopper.come()

        await asyncio.gather(*(one(shopper) for shopper in new))
        self._shoppers += new


def _told(shopper: Shopper) -> dict[str, Any]:
    answers = [[answer.at, answer.status, answer.code] for answer in shopper.answers]
    return {"fresh": shopper.fresh, "answers": answers, "hosts": shopper.hosts}


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        crowd = Crowd(http)
        while line := await lines.readline():
            sys.stdout.write(json.dumps(await crowd.answer(json.loads(line))) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Answer commands until the input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)  # aiortc's tasks complain of peers that are gone
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
