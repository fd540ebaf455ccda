"""All that this project changes in aiortc 1.16 and aioice 0.13, in one package; contract tests pin what is relied upon.

`install` prepares a process: aioice gets loopback when a machine has nothing else, a client that vanished is noticed in
about 20 seconds. `pump` is our RTP loop: packets from a PacketTrack, the playout-delay extension (0/0: show at once);
key frame requests and bitrate estimates, which aiortc keeps for its own encoders, become callbacks. `shaper` polices
what one client may send. `ice` says which addresses and ports are bound and told, `handshake` repeats what is lost
while a connection begins.
"""

from streaming.rtc.ice import check_policy, reach
from streaming.rtc.prepare import await_hello, install
from streaming.rtc.pump import PacketPump, SenderHooks
from streaming.rtc.shaper import police

__all__ = ["PacketPump", "SenderHooks", "await_hello", "check_policy", "install", "police", "reach"]
