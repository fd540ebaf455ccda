"""Hosts on which something waits are asked whether they live; nobody else is."""

from __future__ import annotations

import asyncio

from streaming.hosts.pulse import MISSED, Pulse

SECONDS = 0.001


class Hosts:
    """answers: what each one says, in turn; the last word goes on."""

    def __init__(self, **answers: list[bool]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def ask(self, address: str) -> bool:
        self.asked.append(address)
        known = self.answers[address]
        return known.pop(0) if len(known) > 1 else known[0]


async def test_a_host_that_stays_silent_is_lost_for_all_who_wait() -> None:
    hosts = Hosts(a=[False])
    pulse = Pulse(hosts.ask, SECONDS)
    with pulse.waiting("a") as one, pulse.waiting("a") as other:
        await asyncio.wait_for(asyncio.gather(one.wait(), other.wait()), 5)
    assert hosts.asked == ["a"] * MISSED


async def test_one_missed_answer_is_forgiven() -> None:
    hosts = Hosts(a=[False, True, False, True, False, False])
    pulse = Pulse(hosts.ask, SECONDS)
    with pulse.waiting("a") as lost:
        await asyncio.wait_for(lost.wait(), 5)
    assert len(hosts.asked) == 6


async def test_nobody_is_asked_when_nothing_waits() -> None:
    hosts = Hosts(a=[True], b=[True])
    pulse = Pulse(hosts.ask, SECONDS)
    with pulse.waiting("a"):
        while len(hosts.asked) < 3:
            await asyncio.sleep(SECONDS)
    assert len(pulse) == 0
    before = len(hosts.asked)
    await asyncio.sleep(10 * SECONDS)
    assert hosts.asked[before:] == []
    assert "b" not in hosts.asked


async def test_who_waits_after_a_loss_hopes_anew() -> None:
    hosts = Hosts(a=[False, False, True])
    pulse = Pulse(hosts.ask, SECONDS)
    with pulse.waiting("a") as lost:
        await asyncio.wait_for(lost.wait(), 5)
        with pulse.waiting("a") as again:
            while len(hosts.asked) < 5:
                await asyncio.sleep(SECONDS)
            assert not again.is_set()
