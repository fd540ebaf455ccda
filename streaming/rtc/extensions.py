"""The RTP header extensions that we send, in RFC 8285's one-byte form, and what of them aiortc must offer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

OFFERED = {PLAYOUT_DELAY: 6, TRANSPORT_WIDE: 7}  # beside aiortc's own 1 to 3; answers take the player's numbers
FEEDBACK = (RTCRtcpFeedback(type="ccm", parameter="fir"), RTCRtcpFeedback(type="transport-cc"))

_LARGEST_ONE_BYTE_ID = 14
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_PROFILE = 0xBEDE
_LAYOUT = "!I8sII"  # version, marker, type and sequence; timestamp and SSRC; profile and words; first word of the block
_LONGEST_HEAD = 4  # bytes before a piece of a picture: VP8's descriptor


def offer() -> None:
    """Let aiortc negotiate our extensions and feedback; doing it twice is harmless."""
    known = HEADER_EXTENSIONS["video"]
    for uri, number in OFFERED.items():
        if not any(extension.uri == uri for extension in known):
            known.append(RTCRtpHeaderExtensionParameters(id=number, uri=uri))
    for codec in CODECS["video"]:
        if codec.rtcpFeedback:  # retransmission has none
            codec.rtcpFeedback += [feedback for feedback in FEEDBACK if feedback not in codec.rtcpFeedback]


def ntp_of(seconds: float) -> int:
    """64-bit NTP time of Unix time."""
    return int((seconds + _NTP_EPOCH) * (1 << 32))


class Header:
    """Writes RTP headers of one negotiated stream, all of one size.

    The transport-wide number, which differs from packet to packet, stands first in the block, so that the rest is the
    same in all packets of a burst.
    """

    def __init__(self, ids: dict[str, int], mid: str = "") -> None:
        usable = {uri: number for uri, number in ids.items() if number <= _LARGEST_ONE_BYTE_ID}
        number = usable.get(TRANSPORT_WIDE)
        self.numbered = number is not None
        self._counted = b"" if number is None else bytes([number << 4 | 1, 0, 0])
        self._time_id = usable.get(ABS_SEND_TIME)
        self._fixed = b""
        if PLAYOUT_DELAY in usable:
            self._fixed += bytes([usable[PLAYOUT_DELAY] << 4 | 2, 0, 0, 0])  # 12 bits least, 12 bits most, in 10 ms
        if MID in usable and 0 < len(mid) <= 16:
            self._fixed += bytes([usable[MID] << 4 | len(mid) - 1]) + mid.encode()
        words = max(1, -(-len(self._block(0)) // 4))
        self._profile, self._padded = _PROFILE << 16 | words, 4 * words
        layouts = [struct.Struct(f"{_LAYOUT}{4 * words - 4 + head}s") for head in range(_LONGEST_HEAD + 1)]
        self._packs = [layout.pack_into for layout in layouts]
        self.size = layouts[0].size  # bytes

    def burst(self, ntp: int) -> Burst:
        """For packets that leave now. ntp: 64-bit NTP time."""
        block = self._block(ntp).ljust(self._padded, b"\0")
        return Burst(self._packs, self._profile, int.from_bytes(block[:4], "big"), 256 * self.numbered, block[4:])

    def _block(self, ntp: int) -> bytes:
        if self._time_id is None:
            return self._counted + self._fixed
        sent = (ntp >> 14 & 0xFFFFFF).to_bytes(3, "big")  # 6 bits of seconds, 18 of their fraction
        return self._counted + bytes([self._time_id << 4 | 2]) + sent + self._fixed


class Burst(NamedTuple):
    """What the headers of packets that leave together share.

    packs: by the length of what stands before the piece of a picture. Each takes buffer, offset, the first word,
    timestamp and SSRC (8 bytes), `profile`, first + scale * transport-wide number, and `rest` with the head behind it.
    A method here would cost a third of the header.
    """

    packs: Sequence[Callable[..., None]]
    profile: int
    first: int
    scale: int
    rest: bytes
