"""All that this project changes in aiortc 1.16 and aioice 0.13, in one package; contract tests pin what is relied upon.

`prepare` sets a process up; `ice` says which addresses and ports are bound and told; `handshake` repeats what is lost
while a connection begins. Out: `pump` stands in aiortc's sender, `packets` says how a picture is cut, `pacer` when
packets leave, `outlet` lets them go, `wire` writes, encrypts and sends them by the dozen, `history` keeps pictures that
may be asked for again, `reports` tells the player our clock. In: `shaper` polices what one client may send, `intake`
reads it where it arrives, `records` opens DTLS, `feedback` reads RTCP, `sctp` messages.
"""

from streaming.rtc.ice import check_policy, reach
from streaming.rtc.prepare import await_hello, install, send_only
from streaming.rtc.pump import PacketPump, SenderHooks
from streaming.rtc.shaper import police

__all__ = ["PacketPump", "SenderHooks", "await_hello", "check_policy", "install", "police", "reach", "send_only"]
