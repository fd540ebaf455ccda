"""Owns the life of the other processes: starts them, keeps a spare of each kind, replaces what dies, ends them all.

It is what must not die, so it imports little and does little: it knows no HTTP, no media, no sessions. Everything it
says and hears goes over one link to each child: `hello`, `prepared`, `failed` from all, `ready` from who plays a role,
`drained` from the gateway, `models` from the render process; `play` to a child that shall take a role, `restarts` and
`drain` to the gateway, `models` to a spare render process.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.config import Config
from streaming.errors import StartError
from streaming.ipc import Handler, Link, Params, listen

KINDS = ("render", "network", "gateway")  # spares are made in this order
EXIT_CANNOT_START = 2
RESTART_SECONDS = 0.2  # before what died twice is started again, doubling up to the bound while it keeps dying
RESTART_SECONDS_MAX = 5.0
STABLE_SECONDS = 10.0  # what lived so long is replaced without waiting
SPARE_SECONDS = 2.5  # from the last time that a role was given until a spare is made: those who watch come first
SPARE_RETRY_SECONDS = 30.0  # the same after a spare that soon died, of what it was to prepare or to read ahead
END_SECONDS = 4.0  # for a child to end by itself before it is killed

# A child finds its modules where its parent found them, installed or not, whatever the working directory.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from streaming.child import main; sys.exit(main())"
)

logger = logging.getLogger(__name__)


def socket_path(folder: Path, role: str) -> str:
    """Where whoever plays this role listens; "parent" is the supervisor."""
    return str(folder / f"{role}.sock")


@dataclass(eq=False, slots=True)
class Instance:
    """One process. role: what it plays; None while it is a spare. began: seconds, monotonic."""

    kind: str
    serial: int
    role: Role | None = None
    link: Link | None = None
    process: asyncio.subprocess.Process | None = None
    prepared: bool = False
    began: float = field(default_factory=time.monotonic)


@dataclass(eq=False, slots=True)
class Role:
    """A part that always has to be played. began: seconds, monotonic; delay: before the next process takes it."""

    name: str
    instance: Instance | None = None
    ready: bool = False
    began: float = field(default_factory=time.monotonic)
    delay: float = 0.0
    restarts: int = 0

    @property
    def kind(self) -> str:
        """What sort of process can play it."""
        return self.name.partition("-")[0]

    def fallen(self) -> None:
        """Whoever played it is gone: count, and wait longer the faster that happens."""
        self.instance, self.ready = None, False
        self.restarts += 1
        stable = time.monotonic() - self.began > STABLE_SECONDS
        self.delay = 0.0 if stable else min(max(RESTART_SECONDS, self.delay * 2), RESTART_SECONDS_MAX)
        if self.restarts == 1:
            self.delay = 0.0


class Supervisor(Handler):
    """Owns the children and the folder of their sockets. listening: descriptors that the gateway accepts on."""

    def __init__(self, config: Config, listening: Sequence[int]) -> None:
        self._config, self._listening = config, tuple(listening)
        self._folder = Path(tempfile.mkdtemp(prefix="vitrine-"))
        self._server: asyncio.Server | None = None
        self._serials = itertools.count()
        self._instances: dict[int, Instance] = {}
        self._spares: dict[str, Instance] = {}
        self._spare_died = False  # soon after it was made
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drain_ends: float | None = None  # monotonic
        self._stopping = False
        self._models: list[Any] = []  # what the render process shows, for its spare to read ahead
        self._failure: str | None = None
        names = ("render", *(f"network-{index}" for index in range(config.networks)), "gateway")
        self.roles = {name: Role(name) for name in names}

    async def start(self) -> None:
        """Start every role and wait until the gateway says that all work. Raises StartError when one cannot here."""
        self._server = await listen(socket_path(self._folder, "parent"), self)
        for role in self.roles.values():
            self._fill(role)
        while not self.roles["gateway"].ready:
            if self._failure is not None:
                raise StartError(self._failure)
            await self._change()
        if self._config.spares:
            self._spawn(self._keep_spares())

    async def drain(self, seconds: float) -> None:
        """Have the gateway send the viewers away, until they are gone or this time is over."""
        self._drain_ends = time.monotonic() + seconds
        self._tell_gateway("drain", seconds=seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), seconds)

    async def stop(self) -> None:
        """End every child, by force if need be, and remove the sockets."""
        self._stopping = True
        for instance in self._instances.values():
            if instance.link is not None:
                instance.link.close()
        await asyncio.gather(*(self._end(instance) for instance in list(self._instances.values())))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self, instance: Instance) -> None:
        process = instance.process
        if process is None or process.returncode is not None:
            return
        if instance.link is None:  # not yet so far that it could hear
            process.kill()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    # -- processes ----------------------------------------------------------------------------------------------------

    def _launch(self, kind: str) -> Instance:
        instance = Instance(kind, next(self._serials))
        self._instances[instance.serial] = instance
        self._spawn(self._live(instance))
        return instance

    async def _live(self, instance: Instance) -> None:
        """One process from its start to its end."""
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        passed = self._listening if instance.kind == "gateway" else ()
        told = json.dumps({"serial": instance.serial, "parent": os.getpid(), "level": level, "listening": passed})
        arguments = ("-c", _BOOT, json.dumps(sys.path), instance.kind, str(self._folder), told)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, start_new_session=True, pass_fds=passed
        )
        instance.process = process
        if process.stdin is not None:
            process.stdin.write(self._config.to_json().encode() + b"\n")
            process.stdin.close()
        self._died(instance, await process.wait())

    def _died(self, instance: Instance, code: int) -> None:
        del self._instances[instance.serial]
        if self._spares.get(instance.kind) is instance:
            del self._spares[instance.kind]
            self._spare_died = time.monotonic() - instance.began < STABLE_SECONDS
        role = instance.role
        if not self._stopping:
            if code == EXIT_CANNOT_START:
                self._failure = self._failure or f"the {instance.kind} process cannot start"
            logger.warning("%s ended with code %s", role.name if role else f"the spare {instance.kind}", code)
            if role is not None:
                role.fallen()
                self._tell_restarts()
                self._spawn(self._refill(role))
        self._changed.set()

    # -- roles --------------------------------------------------------------------------------------------------------

    async def _refill(self, role: Role) -> None:
        await asyncio.sleep(role.delay)
        self._fill(role)

    def _fill(self, role: Role) -> None:
        """Give it to the spare, or to a new process."""
        instance = self._spares.pop(role.kind, None) or self._launch(role.kind)
        role.instance, instance.role, role.began = instance, role, time.monotonic()
        self._play(instance)

    def _play(self, instance: Instance) -> None:
        """Once it is prepared and has a role."""
        if instance.link is None or not instance.prepared or instance.role is None:
            return
        instance.link.notice("play", role=instance.role.name, first=instance.role.restarts == 0)
        if instance.kind == "gateway":
            self._tell_restarts()
            if self._drain_ends is not None:
                self._tell_gateway("drain", seconds=max(0.0, self._drain_ends - time.monotonic()))

    async def _keep_spares(self) -> None:
        """One after the other, and never while a role is vacant."""
        while True:
            missing = next((kind for kind in KINDS if kind not in self._spares), None)
            if missing is None or not all(role.ready for role in self.roles.values()):
                await self._change()
                continue
            quiet = time.monotonic() - max(role.began for role in self.roles.values())
            if self._spare_died or quiet < SPARE_SECONDS:
                await asyncio.sleep(SPARE_RETRY_SECONDS if self._spare_died else SPARE_SECONDS - quiet)
                self._spare_died = False
                continue
            spare = self._spares[missing] = self._launch(missing)
            while not spare.prepared and spare.serial in self._instances:
                await self._change()

    # -- links --------------------------------------------------------------------------------------------------------

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """What the children tell."""
        if method == "hello":
            link.name = str(params["serial"])
            known = self._instances.get(params["serial"])
            if known is not None:
                known.link = link
            return
        instance = self._instances.get(int(link.name)) if link.name.isdecimal() else None
        if instance is None:
            return
        match method:
            case "prepared":
                instance.prepared = True
                self._play(instance)
                self._tell_models()
            case "ready" if instance.role is not None:
                instance.role.ready = True
            case "failed":
                self._failure = params["message"]
            case "drained":
                self._drained.set()
            case "models" if instance.role is not None:
                self._models = params["models"]
                self._tell_models()
        self._changed.set()

    def _tell_models(self) -> None:
        spare = self._spares.get("render")
        if spare is not None and spare.prepared and spare.link is not None:
            spare.link.notice("models", models=self._models)

    def _tell_restarts(self) -> None:
        self._tell_gateway("restarts", **{role.name: role.restarts for role in self.roles.values()})

    def _tell_gateway(self, method: str, **params: float) -> None:
        instance = self.roles["gateway"].instance
        if instance is not None and instance.link is not None and instance.prepared:
            instance.link.notice(method, **params)

    async def _change(self) -> None:
        """Wait until something happens to a child."""
        self._changed.clear()
        await self._changed.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
