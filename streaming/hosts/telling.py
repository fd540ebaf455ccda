"""Tells CloudWatch about this host, once a second into periods of ten: what scales its group. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from fleet.cloudwatch import CloudWatch
from fleet.metrics import Publisher, Reading
from fleet.nvml import Gpu

READ_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Telling:
    """Use `start` and `close`. read: this host now, without its GPU; asked on the event loop."""

    def __init__(self, group: str, region: str, read: Callable[[], Reading]) -> None:
        self._read = read
        self._publisher = Publisher(CloudWatch(group, region))
        self._gpu: Gpu | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """End; what was not sent is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        self._gpu = await asyncio.to_thread(Gpu.open)
        try:
            while True:
                await asyncio.to_thread(self._observe, self._read())
                await asyncio.sleep(READ_SECONDS)
        finally:
            if self._gpu is not None:
                self._gpu.close()

    def _observe(self, reading: Reading) -> None:
        """In a thread: the driver and CloudWatch may take their time."""
        if self._gpu is not None:
            reading = replace(reading, load=self._gpu.read())
        if self._publisher.observe(reading):
            self._publisher.send()
