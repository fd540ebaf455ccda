"""How a child process lives: started by the supervisor, tied to its gateway, ended with it. The roles are elsewhere.

Arguments: role, folder of sockets, log level; the Config is one line of JSON on standard input. It reports `ready`, or
`failed` with one line and exit code 2; it ends when the gateway says so, or when the gateway is gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

from renderer.errors import RendererError
from streaming.backend import find_backend
from streaming.config import Config
from streaming.errors import StreamingError
from streaming.ipc import Answer, Handler, Link, Params, connect, listen
from streaming.logs import install
from streaming.memory import limit_arenas

PR_SET_PDEATHSIG = 1
EXIT_CANNOT_START = 2
# How long the thread that reads a model may keep the interpreter from the one that encodes. With Python's own 5 ms an
# encode of 3 ms took 19 beside a busy thread, with this 11 (on two busy cores).
GIL_SECONDS = 0.0005


def gateway_path(sockets: Path) -> str:
    """Where the gateway listens."""
    return str(sockets / "gateway.sock")


def render_path(sockets: Path) -> str:
    """Where the render process listens."""
    return str(sockets / "render.sock")


class _ToGateway(Handler):
    """The child's end of the link to its gateway: passes everything to the role until the end."""

    def __init__(self) -> None:
        self.role: Handler = Handler()
        self.ended = asyncio.Event()

    async def on_request(self, method: str, params: Params) -> Answer:
        return await self.role.on_request(method, params)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        self.role.on_notice(link, method, params)

    def on_lost(self, link: Link) -> None:  # noqa: ARG002
        self.ended.set()


async def _render(config: Config, sockets: Path, to_gateway: _ToGateway, gateway: Link) -> None:
    from streaming.render import RenderProcess

    sys.setswitchinterval(GIL_SECONDS)
    backend = find_backend(config.backend)
    thread = backend.open_thread(require_gpu=config.require_gpu)
    role = RenderProcess(config, backend, thread)
    to_gateway.role = role
    path = render_path(sockets)
    Path(path).unlink(missing_ok=True)
    server = await listen(path, role)
    gateway.notice("ready")
    ends = [asyncio.ensure_future(event.wait()) for event in (to_gateway.ended, role.broken)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    server.close()
    role.close()


async def _network(config: Config, index: int, sockets: Path, to_gateway: _ToGateway, gateway: Link) -> None:
    from streaming.network import NetworkProcess

    role = NetworkProcess(config, index, render_path(sockets))
    to_gateway.role = role
    role.start(gateway)
    gateway.notice("ready")
    await to_gateway.ended.wait()
    await role.close()


async def _run(role: str, sockets: Path, config: Config) -> int:
    to_gateway = _ToGateway()
    gateway = await connect(gateway_path(sockets), to_gateway, "gateway")
    gateway.notice("hello", role=role, pid=os.getpid())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, to_gateway.ended.set)
    try:
        if role == "render":
            await _render(config, sockets, to_gateway, gateway)
        else:
            await _network(config, int(role.removeprefix("network-")), sockets, to_gateway, gateway)
    except (RendererError, StreamingError) as error:
        gateway.notice("failed", message=" ".join(str(error).split()))
        gateway.close()
        return EXIT_CANNOT_START
    gateway.close()
    return 0


def main() -> int:
    """Run one role until the gateway ends it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive the gateway
    limit_arenas()
    role, sockets = sys.argv[1], Path(sys.argv[2])
    level = sys.argv[3] if len(sys.argv) > 3 else "INFO"
    logging.basicConfig(stream=sys.stderr, level=level)
    for chatty in ("aioice", "OpenGL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    config = Config.from_json(sys.stdin.readline())
    install(config.log_format, role)
    return asyncio.run(_run(role, sockets, config))
