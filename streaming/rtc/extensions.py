"""The RTP header extensions that we send, in RFC 8285's one-byte form."""

from __future__ import annotations

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

_LARGEST_ONE_BYTE_ID = 14


class Extensions:
    """Builds the block of one negotiated stream."""

    def __init__(self, ids: dict[str, int], mid: str = "") -> None:
        usable = {uri: number for uri, number in ids.items() if number <= _LARGEST_ONE_BYTE_ID}
        self._time_id = usable.get(ABS_SEND_TIME)
        fixed = b""
        if PLAYOUT_DELAY in usable:
            fixed += bytes([usable[PLAYOUT_DELAY] << 4 | 2, 0, 0, 0])  # 12 bits least, 12 bits most, in 10 ms
        if MID in usable and 0 < len(mid) <= 16:
            fixed += bytes([usable[MID] << 4 | len(mid) - 1]) + mid.encode()
        self._fixed = fixed

    def build(self, ntp: int) -> bytes:
        """The block for packets that leave now, padded to words."""
        block = self._fixed
        if self._time_id is not None:
            block = bytes([self._time_id << 4 | 2]) + (ntp >> 14 & 0xFFFFFF).to_bytes(3, "big") + block
        return block + bytes(-len(block) % 4)
