"""What NVIDIA's driver tells of this host's GPU. Without nvidia-ml-py or a driver there is nothing to read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from fleet.metrics import GpuLoad

logger = logging.getLogger(__name__)


class Gpu:
    """One GPU; `with Gpu.open() as gpu`. All calls from one thread at a time."""

    def __init__(self, nvml: ModuleType, device: Any) -> None:
        self._nvml, self._device = nvml, device

    @classmethod
    def open(cls, index: int = 0) -> Gpu | None:
        """The GPU with this number; None where there is no binding, no driver or no such GPU."""
        try:
            import pynvml
        except ImportError:
            return None
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            logger.info("no GPU to read: %s", error)
            return None
        try:
            return cls(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index))
        except pynvml.NVMLError as error:
            logger.warning("GPU %d cannot be read: %s", index, error)
            pynvml.nvmlShutdown()
            return None

    def __enter__(self) -> Gpu:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the driver go."""
        self._nvml.nvmlShutdown()

    def read(self) -> GpuLoad:
        """Now. A figure that this GPU does not have is None: some data-centre GPUs have no encoder at all."""
        nvml, device = self._nvml, self._device
        return GpuLoad(
            gpu=self._told(lambda: float(nvml.nvmlDeviceGetUtilizationRates(device).gpu)),
            encoder=self._told(lambda: float(nvml.nvmlDeviceGetEncoderUtilization(device)[0])),
            memory=self._told(lambda: _share(nvml.nvmlDeviceGetMemoryInfo(device))),
        )

    def _told(self, ask: Callable[[], float]) -> float | None:
        try:
            return ask()
        except self._nvml.NVMLError as error:
            logger.debug("the driver does not tell: %s", error)
            return None


def _share(memory: Any) -> float:
    """Percent of it that is used."""
    return 100.0 * int(memory.used) / int(memory.total)
