"""Where datagrams of one viewer arrive: cameras and reports are read at once, all else waits for aiortc as ever.

aiortc reads each datagram in a task, through a queue; here what belongs to an open connection (DTLS records with
application data, RTCP) is read where it arrives. Handshakes, alerts, RTP and everything before the connection is open
take aiortc's way, and so does whatever comes while something waits there: the order is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pylibsrtp
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCSctpTransport
from aiortc.rtcdtlstransport import State
from OpenSSL import SSL

from streaming.rtc.feedback import Reader
from streaming.rtc.records import Records
from streaming.rtc.sctp import PlainSctp

_APPLICATION_DATA = 23  # type of a DTLS 1.2 record

logger = logging.getLogger(__name__)


class Intake:
    """Reads for one DTLS transport."""

    def __init__(self, transport: RTCDtlsTransport, sctp: RTCSctpTransport | None) -> None:
        self._transport: Any = transport
        self._connection: Any = transport.transport._connection
        self._queued: Callable[[bytes, int], None] = self._connection.data_received
        self._open: Records | None = None  # once the connection is
        self._sctp = None if sctp is None else PlainSctp(sctp, self._send)

    def deliver(self, data: bytes, component: int) -> None:
        """A datagram came that is not STUN; replaces aioice's `Connection.data_received`."""
        transport = self._transport
        if len(data) > 1 and transport._state is State.CONNECTED and self._connection._queue.empty():
            first = data[0]
            if first == _APPLICATION_DATA and self._sctp is not None and transport._data_receiver is not None:
                self._application(data, self._sctp)
                return
            if 127 < first < 192 <= data[1] <= 208 and isinstance(transport._handle_rtcp_data, Reader):
                self._report(data, transport._handle_rtcp_data)
                return
        self._queued(data, component)

    def _application(self, data: bytes, sctp: PlainSctp) -> None:
        try:
            packet = self._records().open(data)
        except SSL.Error as error:
            logger.debug("a record is not read: %s", error)
            return
        sctp.receive(packet)

    def _records(self) -> Records:
        if self._open is None:
            self._open = Records(self._transport._ssl)
        return self._open

    def _report(self, data: bytes, reader: Reader) -> None:
        try:
            report = self._transport._rx_srtp.unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError) as error:
            logger.debug("a report is not read: %s", error)
            return
        reader.read(report)

    def _send(self, packet: bytes) -> None:
        """Encrypt an SCTP packet and send it; lost when the connection is just going."""
        pair = self._connection._nominated.get(1)
        if self._transport._state is not State.CONNECTED or pair is None:
            return
        try:
            record = self._records().seal(packet)
        except SSL.Error as error:
            logger.debug("a message is not sent: %s", error)
            return
        pair.protocol.transport.sendto(record, pair.remote_addr)


def transports(pc: RTCPeerConnection) -> dict[RTCDtlsTransport, RTCSctpTransport | None]:
    """The DTLS transports of a peer connection: one, unless its player does not bundle. And which has data channels."""
    found: dict[RTCDtlsTransport, RTCSctpTransport | None] = {
        transceiver.receiver.transport: None for transceiver in pc.getTransceivers()
    }
    if pc.sctp is not None:
        found[pc.sctp.transport] = pc.sctp
    return found
