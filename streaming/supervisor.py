"""Starts the child processes, restarts those that die, ends them all. Knows their links, not what is said over them."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streaming.child import EXIT_CANNOT_START, gateway_path
from streaming.config import Config
from streaming.errors import ProcessLost, StartError
from streaming.ipc import Answer, Handler, Link, Params, listen

RESTART_SECONDS = 0.2  # before a child that died is started again, doubling up to the bound while it keeps dying
RESTART_SECONDS_MAX = 5.0
STABLE_SECONDS = 10.0  # a child that lived so long starts again without waiting
END_SECONDS = 4.0  # for a child to end by itself before it is killed

# A child finds its modules where its parent found them, installed or not, whatever the working directory.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from streaming.child import main; sys.exit(main())"
)


class Child:
    """One role, whatever process plays it at the moment."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.link: Link | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.linked = False  # network processes: whether the render process is reached
        self.failure: str | None = None

    async def request(self, method: str, **params: Any) -> Answer:
        """Ask it. Raises ProcessLost when it is not there."""
        if self.link is None or not self.ready.is_set():
            raise ProcessLost(f"the {self.role} process is starting")
        return await self.link.request(method, **params)


class Supervisor(Handler):
    """Owns the children and the folder of their sockets. restarted(role) is told of each restart."""

    def __init__(self, config: Config, on_gone: Callable[[Child, int], None], restarted: Callable[[str], None]) -> None:
        self._config, self._on_gone, self._restarted = config, on_gone, restarted
        self._sockets = Path(tempfile.mkdtemp(prefix="vitrine-"))
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._changed = asyncio.Event()
        self.render = Child("render")
        self.networks = [Child(f"network-{index}") for index in range(config.networks)]
        self.children = {child.role: child for child in (self.render, *self.networks)}

    async def start(self) -> None:
        """Start every child and wait until all are ready. Raises StartError when one cannot start here."""
        self._server = await listen(gateway_path(self._sockets), self)
        self._tasks = [asyncio.create_task(self._keep(child)) for child in self.children.values()]
        while not self.is_ready:
            failure = next((child.failure for child in self.children.values() if child.failure), None)
            if failure is not None:
                raise StartError(failure)
            self._changed.clear()
            await self._changed.wait()

    @property
    def is_ready(self) -> bool:
        """Whether every child runs and is linked."""
        return self.render.ready.is_set() and all(c.ready.is_set() and c.linked for c in self.networks)

    async def stop(self) -> None:
        """End every child, by force if need be, and remove the sockets."""
        self._stopping = True
        for child in self.children.values():
            if child.link is not None:
                child.link.close()
        await asyncio.gather(*(self._end(child) for child in self.children.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _keep(self, child: Child) -> None:
        delay = RESTART_SECONDS
        while True:
            began = time.monotonic()
            code = await self._play(child)
            self._down(child)
            if self._stopping:
                return
            if code == EXIT_CANNOT_START:
                child.failure = child.failure or f"the {child.role} process cannot start"
                self._changed.set()
            self._restarted(child.role)
            delay = (
                RESTART_SECONDS if time.monotonic() - began > STABLE_SECONDS else min(delay * 2, RESTART_SECONDS_MAX)
            )
            logging.getLogger(__name__).warning("%s ended with code %s; starting it again", child.role, code)
            await asyncio.sleep(delay)

    def _down(self, child: Child) -> None:
        """A process is gone; without the render process no network process is linked."""
        child.ready.clear()
        for unlinked in self.networks if child is self.render else [child]:
            unlinked.linked = False
        self._changed.set()

    async def _play(self, child: Child) -> int:
        """Start one process for this role and wait for its end."""
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        arguments = ("-c", _BOOT, json.dumps(sys.path), child.role, str(self._sockets), level)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        child.process = process
        if process.stdin is not None:
            process.stdin.write(self._config.to_json().encode() + b"\n")
            process.stdin.close()
        return await process.wait()

    # -- links --------------------------------------------------------------------------------------------------------

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """What the children tell."""
        if method == "hello":
            link.name = params["role"]
            self.children[params["role"]].link = link
            return
        child = self.children[link.name]
        match method:
            case "ready":
                child.ready.set()
            case "linked":
                child.linked = True
            case "failed":
                child.failure = params["message"]
            case "gone":
                self._on_gone(child, params["session"])
        self._changed.set()

    def on_lost(self, link: Link) -> None:
        """A child's link closed; its process is waited for elsewhere."""
        child = self.children.get(link.name)
        if child is not None and child.link is link:
            child.link = None
            self._down(child)
