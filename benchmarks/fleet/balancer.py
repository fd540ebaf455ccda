"""Owns the stand-in of a load balancer (`python -m benchmarks.fleet.balancer ADDRESS PORT SECONDS`). Knows no fleet.

One request after the other goes to the hosts that are healthy, in turn, as AWS's Application Load Balancer does it.

A host is healthy after two answers of 200 to `/readyz`, SECONDS apart, and unhealthy after two others. Who cannot be
connected to is 502 for that request. Commands come as lines of JSON: {"targets": ["10.0.0.1:8080", …]}.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

THRESHOLD = 2  # answers of one kind in a row
CHECK_SECONDS = 2.0  # for an answer to a check
CONNECT_SECONDS = 5.0
_CONNECTION = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}


@dataclass(eq=False, slots=True)
class Target:
    """One host. streak: answers of the same kind in a row."""

    address: str
    healthy: bool = False
    streak: int = 0

    def checked(self, good: bool) -> None:
        """Count an answer."""
        self.streak = self.streak + 1 if good is not self.healthy else 0
        if self.streak >= THRESHOLD:
            self.healthy, self.streak = good, 0


class Balancer:
    """The process."""

    def __init__(self, http: aiohttp.ClientSession, seconds: float) -> None:
        self._http, self._seconds = http, seconds
        self._targets: dict[str, Target] = {}
        self._turn = itertools.count()
        self._refused = 0

    async def command(self, told: dict[str, Any]) -> dict[str, Any]:
        """Another set of targets, if told; who is healthy."""
        if "targets" in told:
            self._targets = {name: self._targets.get(name) or Target(name) for name in told["targets"]}
        healthy = [target.address for target in self._targets.values() if target.healthy]
        return {"healthy": healthy, "refused": self._refused}

    async def watch(self) -> None:
        """Check every target, for ever."""
        while True:
            await asyncio.gather(*(self._check(target) for target in list(self._targets.values())))
            await asyncio.sleep(self._seconds)

    async def _check(self, target: Target) -> None:
        try:
            async with asyncio.timeout(CHECK_SECONDS), self._http.get(f"http://{target.address}/readyz") as answer:
                target.checked(answer.status == 200)
        except (aiohttp.ClientError, OSError, TimeoutError):
            target.checked(False)

    def _healthy(self) -> list[Target]:
        """Where none is healthy, all are: so does AWS."""
        targets = list(self._targets.values())
        return [target for target in targets if target.healthy] or targets

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Pass on and back."""
        targets = self._healthy()
        if not targets:
            return web.Response(status=503, text="no targets")
        target = targets[next(self._turn) % len(targets)]
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _CONNECTION}
        headers["X-Forwarded-For"] = ", ".join(filter(None, (headers.get("X-Forwarded-For"), request.remote)))
        url = URL(f"http://{target.address}{request.path_qs}", encoded=True)
        body = await request.read()
        try:
            async with self._http.request(request.method, url, headers=headers, data=body) as answer:
                return await _returned(request, answer)
        except (aiohttp.ClientConnectionError, OSError, TimeoutError):
            self._refused += 1
            return web.Response(status=502, text="bad gateway")


async def _returned(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    for name, value in answer.headers.items():
        if name.lower() not in _CONNECTION:
            response.headers.add(name, value)
    await response.prepare(request)
    try:
        while data := await answer.content.readany():
            await response.write(data)
    except (aiohttp.ClientError, ConnectionError):
        if request.transport is not None:
            request.transport.close()  # what was cut off is not made whole
    return response


async def _run(address: str, port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as http:
        balancer = Balancer(http, seconds)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", balancer.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, address, port).start()
        watching = asyncio.ensure_future(balancer.watch())
        while line := await lines.readline():
            sys.stdout.write(json.dumps(await balancer.command(json.loads(line))) + "\n")
            sys.stdout.flush()
        watching.cancel()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
