"""How a child process lives: made ready ahead of need, given a role by its parent, ended with it. Knows no role itself.

Arguments: kind, folder of sockets, a line of JSON (serial, parent's id, level of the log, descriptors to listen on);
the Config is one line of JSON on standard input. It tells its parent `prepared` when it could begin at once, `ready`
when it plays the role that it was given, or `failed` with one line and exit code 2. Signals are its parent's business.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from assets.errors import StoreError
from renderer.errors import RendererError
from streaming.config import Config
from streaming.errors import StreamingError
from streaming.ipc import Handler, Link, Params, connect, listen
from streaming.logs import install
from streaming.memory import limit_arenas
from streaming.supervisor import EXIT_CANNOT_START, socket_path

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
# How long the thread that reads a model may keep the interpreter from the one that encodes. With Python's own 5 ms an
# encode of 3 ms took 19 beside a busy thread, with this 11 (on two busy cores).
GIL_SECONDS = 0.0005


class Part(Protocol):
    """What a process of one kind does."""

    async def play(self, role: str, first: bool) -> None:
        """Take the role. first: nobody has played it before."""
        ...

    def on_notice(self, method: str, params: Params) -> None:
        """What the parent tells later."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class Listening:
    """Listens under the name of a role for the processes that need it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: asyncio.Server | None = None

    async def open(self, role: str, handler: Handler) -> None:
        """In the place of the process that played it before."""
        path = socket_path(self._folder, role)
        Path(path).unlink(missing_ok=True)
        self._server = await listen(path, handler)

    def close(self) -> None:
        """Accept nobody any more."""
        if self._server is not None:
            self._server.close()


class Rendering:
    """A render process: device and shaders are ready before it has a role."""

    def __init__(self, config: Config, folder: Path, parent: Link, end: Callable[[], None]) -> None:
        from streaming.backend import find_backend
        from streaming.render import RenderProcess

        sys.setswitchinterval(GIL_SECONDS)
        self._listening = Listening(folder)
        backend = find_backend(config.backend)
        self._process = RenderProcess(config, backend, backend.open_thread(require_gpu=config.require_gpu))
        self._models = self._process.models
        self._models.changed = lambda: parent.notice("models", models=self._models.most_used())
        self._broken = asyncio.ensure_future(self._process.broken.wait())
        self._broken.add_done_callback(lambda done: None if done.cancelled() else end())

    async def play(self, role: str, first: bool) -> None:  # noqa: ARG002
        """See Part."""
        self._models.ahead.soon_over()
        await self._listening.open(role, self._process)

    def on_notice(self, method: str, params: Params) -> None:
        """While it is a spare: what the one that plays has loaded."""
        if method == "models":
            self._models.ahead.want([(model, version, path) for model, version, path in params["models"]])

    async def close(self) -> None:
        """See Part."""
        self._broken.cancel()
        self._listening.close()
        self._process.close()


class Networking:
    """A network process."""

    def __init__(self, config: Config, folder: Path) -> None:
        from streaming.network import NetworkProcess

        self._folder = folder
        self._listening = Listening(folder)
        self._process = NetworkProcess(config)
        self._playing = False

    async def play(self, role: str, first: bool) -> None:  # noqa: ARG002
        """See Part."""
        self._playing = True
        self._process.start(int(role.removeprefix("network-")), socket_path(self._folder, "render"))
        await self._listening.open(role, self._process)

    def on_notice(self, method: str, params: Params) -> None:
        """See Part."""

    async def close(self) -> None:
        """See Part."""
        self._listening.close()
        if self._playing:
            await self._process.close()


class ToParent(Handler):
    """The child's end of the link to its parent."""

    def __init__(self) -> None:
        self.part: Part | None = None
        self.cast: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()

    def on_notice(self, link: Link, method: str, params: Params) -> None:  # noqa: ARG002
        """A role, or something for the part."""
        if method == "play" and not self.cast.done():
            self.cast.set_result((params["role"], params["first"]))
        elif self.part is not None:
            self.part.on_notice(method, params)

    def on_lost(self, link: Link) -> None:  # noqa: ARG002
        """The parent ended, or wants this process to end."""
        self.ended.set()


async def _prepare(
    kind: str, config: Config, folder: Path, listening: Sequence[int], parent: Link, ears: ToParent
) -> Part:
    match kind:
        case "render":
            return Rendering(config, folder, parent, ears.ended.set)
        case "network":
            return Networking(config, folder)
        case _:
            from streaming.gateway import GatewayProcess

            return await GatewayProcess.prepared(config, folder, listening, parent)


async def _live(kind: str, ears: ToParent, part: Part, parent: Link, config: Config) -> None:
    """Wait for a role, play it, until the end."""
    name_process(f"spare {_short(kind)}")
    parent.notice("prepared")
    if not await _unless(ears.ended, ears.cast):
        return
    role, first = ears.cast.result()
    name_process(f"vitrine {_short(role)}")
    install(config.log_format, role)
    if await _unless(ears.ended, part.play(role, first)):
        parent.notice("ready")
        await ears.ended.wait()


async def _unless(ended: asyncio.Event, work: Awaitable[object]) -> bool:
    """Do it; False when the end came first."""
    doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(ended.wait())
    await asyncio.wait((doing, ending), return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    return False


async def _run(kind: str, folder: Path, told: Params, config: Config) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a service manager signals every process of the group
    ears = ToParent()
    parent = await connect(socket_path(folder, "parent"), ears, "the parent")
    parent.notice("hello", serial=told["serial"])
    code = 0
    try:
        ears.part = await _prepare(kind, config, folder, told["listening"], parent, ears)
        await _live(kind, ears, ears.part, parent, config)
    except (RendererError, StreamingError, StoreError) as error:
        parent.notice("failed", message=" ".join(str(error).split()))
        code = EXIT_CANNOT_START
    if ears.part is not None and not code:
        await ears.part.close()
    parent.close()
    return code


def name_process(name: str) -> None:
    """What `ps` and `top` show; the kernel keeps 15 characters."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])


def _short(role: str) -> str:
    return role.replace("network", "net")


def main() -> int:
    """One child, from its start to its end."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive the parent
    limit_arenas()
    kind, folder, told = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    name_process("vitrine (new)")
    logging.basicConfig(stream=sys.stderr, level=told["level"])
    for chatty in ("aioice", "OpenGL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    config = Config.from_json(sys.stdin.readline())
    install(config.log_format, kind)
    if os.getppid() != told["parent"]:
        return 0  # it died before we were tied to it
    gc.freeze()  # what was imported stays: looking through it for garbage would hold every viewer's pictures up
    return asyncio.run(_run(kind, folder, told, config))
