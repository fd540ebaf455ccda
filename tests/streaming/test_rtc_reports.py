"""Sender reports tell what left, and nothing at rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc.rtp import RtcpByePacket, RtcpSrPacket

from streaming.rtc.reports import Reports


class Sender:
    """What of aiortc's sender reports are made of."""

    _ssrc = 77

    def __init__(self) -> None:
        numbers = {"ntp_timestamp": 5 << 32, "rtp_timestamp": 9, "packet_count": 3, "octet_count": 400, "cname": "me"}
        events = {"rtcp_started": asyncio.Event(), "rtcp_exited": asyncio.Event()}
        for name, value in {**numbers, **events}.items():
            setattr(self, f"_RTCRtpSender__{name}", value)
        self.sent: list[Any] = []

    async def _send_rtcp(self, packets: list[Any]) -> None:
        self.sent.append(packets)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_report_for_what_left_none_at_rest_and_a_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.rtc.reports.random.random", lambda: -0.5)  # no waiting
    sender: Any = Sender()
    made = Reports(sender)
    task = asyncio.ensure_future(made.run())
    await settle()
    assert sender.sent == []
    made.sent()
    made.sent()
    await settle()
    await asyncio.sleep(0.01)
    ((report, names),) = sender.sent
    assert isinstance(report, RtcpSrPacket)
    assert (report.ssrc, report.sender_info.packet_count, report.sender_info.octet_count) == (77, 3, 400)
    assert names.chunks[0].items == [(1, b"me")]
    task.cancel()
    await task
    assert isinstance(sender.sent[-1][0], RtcpByePacket)
    assert sender._RTCRtpSender__rtcp_exited.is_set()
