"""`vitrine serve` itself: opens the port, owns the processes behind it, hears the signals. Answers no request.

The listening sockets belong to this process, so that a gateway that dies loses no caller: they wait in the queue of the
socket until the next gateway takes them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from streaming.config import Config
from streaming.listening import open_sockets
from streaming.supervisor import Supervisor

FAREWELL_SECONDS = 0.5  # from SIGINT to the end

logger = logging.getLogger(__name__)


async def serve(config: Config, announce: Callable[[str], None]) -> None:
    """Run the server until SIGINT or SIGTERM. announce(url) is called once it is ready. Raises StartError.

    SIGTERM drains: viewers are sent away and may stay `config.drain_seconds`. SIGINT and a second signal end at once.
    """
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[float] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, signals.put_nowait, config.drain_seconds)
    loop.add_signal_handler(signal.SIGINT, signals.put_nowait, FAREWELL_SECONDS)
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in open_sockets(config.host, config.port)]
        supervisor = Supervisor(config, [each.fileno() for each in sockets])
        try:
            if await _before_signal(supervisor.start(), signals) is None:
                announce(f"http://{_shown(config.host)}:{sockets[0].getsockname()[1]}/")
                _say_who_may(config)
                _say_how_many(config)
                seconds = await signals.get()
                logger.info("ending: viewers may stay %g s", seconds)
                await _before_signal(supervisor.drain(seconds), signals)
        finally:
            await supervisor.stop()


async def _before_signal(work: Coroutine[Any, Any, None], signals: asyncio.Queue[float]) -> float | None:
    """Do it to its end, unless a signal comes first: then that signal's seconds."""
    doing, signalled = asyncio.ensure_future(work), asyncio.ensure_future(signals.get())
    await asyncio.wait((doing, signalled), return_when=asyncio.FIRST_COMPLETED)
    if doing.done():
        signalled.cancel()
        doing.result()
        return None
    doing.cancel()
    return signalled.result()


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _say_who_may(config: Config) -> None:
    """One line at start: who can see the models."""
    if config.auth:
        logger.info("whoever has a token of the keys in %s may see models", config.auth)
    elif config.is_local:
        logger.info("without --auth only this machine is served (%s)", config.host)
    else:
        logger.warning("--open without --auth: whoever reaches %s may see every model", config.host)


def _say_how_many(config: Config) -> None:
    """At start: whether there is a UDP port for each viewer."""
    ports = len(config.reach.ports)
    if 0 < ports < config.max_sessions:
        logger.warning("udp_ports has %d ports for max_sessions %d: offers beyond get 503", ports, config.max_sessions)
