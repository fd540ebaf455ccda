"""Freed memory goes back to the system, once for many ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from streaming import memory


async def test_many_ends_are_one_trim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "DELAY", 0.01)
    collected: list[str] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            collected.append(phase)

    trimmer = memory.Trimmer()
    gc.disable()
    gc.callbacks.append(count)
    try:
        for _ in range(50):
            trimmer.soon()
        await asyncio.sleep(0.1)
        assert len(collected) == 1
        trimmer.soon()
        await asyncio.sleep(0.1)
        assert len(collected) == 2
        trimmer.soon()
        trimmer.close()
        await asyncio.sleep(0.05)
        assert len(collected) == 2
    finally:
        gc.callbacks.remove(count)
        gc.enable()
