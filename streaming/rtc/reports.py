"""Sender reports: one a second or so while pictures leave, none at rest. Replaces aiortc's loop, which never rests.

A report at rest says what the one before it said, and a hundred viewers who only look would keep a processor busy with
them. The players' clocks and the round trip are measured again with the first picture that moves.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from aiortc import RTCRtpSender
from aiortc.rtp import RtcpByePacket, RtcpSdesPacket, RtcpSenderInfo, RtcpSourceInfo, RtcpSrPacket

_CNAME = 1  # RFC 3550, 6.5.1


class Reports:
    """Of one sender. Its numbers are where aiortc keeps them; who sends packets calls `sent`."""

    def __init__(self, sender: RTCRtpSender) -> None:
        self._sender: Any = sender
        self._news = asyncio.Event()

    def sent(self) -> None:
        """Something left that no report has told of."""
        self._news.set()

    async def run(self) -> None:
        """Until it is cancelled; replaces `RTCRtpSender._run_rtcp`."""
        sender = self._sender
        self._get("rtcp_started").set()
        try:
            while True:
                await self._news.wait()
                await asyncio.sleep(0.5 + random.random())  # RFC 3550, 6.2: never two hosts in step
                self._news.clear()
                await self._report()
        except asyncio.CancelledError:
            pass  # aiortc ends the sender
        await sender._send_rtcp([RtcpByePacket(sources=[sender._ssrc])])
        self._get("rtcp_exited").set()

    async def _report(self) -> None:
        ntp = self._get("ntp_timestamp")
        numbers = RtcpSenderInfo(
            ntp_timestamp=ntp,
            rtp_timestamp=self._get("rtp_timestamp"),
            packet_count=self._get("packet_count") & 0xFFFFFFFF,
            octet_count=self._get("octet_count") & 0xFFFFFFFF,
        )
        self._set("lsr", ntp >> 16 & 0xFFFFFFFF)
        self._set("lsr_time", time.time())
        packets: list[RtcpSrPacket | RtcpSdesPacket] = [RtcpSrPacket(ssrc=self._sender._ssrc, sender_info=numbers)]
        name = self._get("cname")
        if name is not None:
            source = RtcpSourceInfo(ssrc=self._sender._ssrc, items=[(_CNAME, name.encode())])
            packets.append(RtcpSdesPacket(chunks=[source]))
        await self._sender._send_rtcp(packets)

    def _get(self, name: str) -> Any:
        return getattr(self._sender, f"_RTCRtpSender__{name}")

    def _set(self, name: str, value: object) -> None:
        setattr(self._sender, f"_RTCRtpSender__{name}", value)
