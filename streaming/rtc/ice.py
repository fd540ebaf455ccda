"""How a peer connection meets its viewer: which addresses and ports it binds and tells, and how fast checks go on.

Replaces two methods of each `aioice.Connection` of one peer connection: aioice binds any port of every address and
tells just these, and looks only every 20 ms whether its checks have come to an end. Asks no STUN and no TURN server.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import ifaddr
from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import ICE_COMPLETED, Connection, StunProtocol
from aiortc import RTCPeerConnection

from streaming.errors import ConfigError, SignallingError
from streaming.reach import Reach
from streaming.rtc.handshake import repeat_checks, repeat_flights

COMPONENT = 1  # the only one: RTP and RTCP share a port
PACE = 0.02  # seconds between two checks that we begin ourselves
REPEAT = 5  # of these until a check without an answer is sent again
RECEIVE_BUFFER = 256 << 10  # bytes of one socket, as aioice asks for
# Where a packet to the Internet would leave; documentation addresses, nothing is ever sent to them.
_AFAR = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def reach(pc: RTCPeerConnection, policy: Reach, unheard: Callable[[], None] = lambda: None) -> None:
    """Make this peer connection bind and tell what the policy says. Call it before `setLocalDescription`.

    unheard: see `repeat_flights`.
    """
    for connection in connections(pc):
        target: Any = connection
        target.gather_candidates = partial(_gather, connection, policy)
        target.connect = partial(_connect, connection)
    repeat_flights(pc, unheard)


def connections(pc: RTCPeerConnection) -> set[Connection]:
    """The ICE connections of a peer connection: one, unless its player does not bundle."""
    found = {transceiver.receiver.transport.transport._connection for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        found.add(pc.sctp.transport.transport._connection)
    return found


def check_policy(policy: Reach) -> None:
    """Whether this host has what the policy names. Raises ConfigError."""
    names = {adapter.nice_name for adapter in ifaddr.get_adapters()}
    for name in policy.interfaces:
        if name not in names:
            raise ConfigError(f"interfaces has {name!r}: this host has {', '.join(sorted(names))}")
    own = host_addresses(policy.interfaces)
    for private, _ in policy.pairs:
        if private not in own:
            raise ConfigError(f"public_address has {private!r}: this host's addresses are {', '.join(own)}")


# -- addresses --------------------------------------------------------------------------------------------------------


def host_addresses(interfaces: Sequence[str] = (), *, ipv4: bool = True, ipv6: bool = True) -> list[str]:
    """This host's addresses without loopback and link-local ones; loopback when it has no other."""
    others: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        if interfaces and adapter.nice_name not in interfaces:
            continue
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not (ipv4 if address.version == 4 else ipv6) or address.is_link_local:
                continue
            (loopback if address.is_loopback else others).append(text)
    return others or loopback


def outward_addresses() -> list[str]:
    """The addresses that packets to the Internet carry, one of each IP version that leads there."""
    found = []
    for family, afar in _AFAR.items():
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((afar, 9))  # chooses a route; sends nothing
            except OSError:
                continue
            found.append(str(probe.getsockname()[0]))
    return found


# -- sockets ----------------------------------------------------------------------------------------------------------


async def _gather(connection: Connection, policy: Reach) -> None:
    """Bind, and note what the answer will tell; replaces `Connection.gather_candidates`."""
    if connection._local_candidates_start:
        return
    connection._local_candidates_start = True
    offered = policy.offered(host_addresses(policy.interfaces), outward_addresses())
    protocols: dict[str, StunProtocol] = {}
    for rank, (own, told) in enumerate(offered):
        if own not in protocols:
            protocols[own] = await _open(connection, own, policy.ports)
            protocols[own].local_candidate = _candidate(own, _port(protocols[own]), rank)
        connection._local_candidates.append(_candidate(told, _port(protocols[own]), rank))
    connection._local_candidates_end = True


async def _open(connection: Connection, address: str, ports: range) -> StunProtocol:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: StunProtocol(connection), sock=bind(address, ports))
    connection._protocols.append(protocol)  # from now on `close` closes it
    return protocol


def _port(protocol: StunProtocol) -> int:
    return int(protocol.transport.get_extra_info("sockname")[1])


def _candidate(address: str, port: int, rank: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation("host", "udp", address),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, "host", 65535 - rank),
        host=address,
        port=port,
        type="host",
    )


def bind(address: str, ports: range) -> socket.socket:
    """A UDP socket on a free port of the range; an empty range: on any. Raises SignallingError when all are taken.

    The kernel decides who gets a port, so processes may share a range. Beginning anywhere, the first attempt succeeds
    unless the range is nearly full.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    for port in _from_anywhere(ports):
        try:
            bound.bind((address, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):  # taken, or reserved: the next one may do
                continue
            bound.close()
            raise SignallingError(503, "no-address", f"{address} cannot be used: {error.strerror}") from error
        return bound
    bound.close()
    what = f"UDP ports {ports[0]} to {ports[-1]}" if ports else "UDP ports"
    raise SignallingError(503, "no-ports", f"all {what} of this host are taken; try again soon")


def _from_anywhere(ports: range) -> Iterable[int]:
    if not ports:
        return (0,)
    begin = random.randrange(len(ports))
    return (ports[(begin + step) % len(ports)] for step in range(len(ports)))


# -- checks -----------------------------------------------------------------------------------------------------------


async def _connect(connection: Connection) -> None:
    """Until a pair is nominated; replaces `Connection.connect`, which notices that at its next look.

    An offer without candidates is fine: viewers know ours, and their first check tells us theirs. It fails when the
    connection is closed, which the session does when its time to connect is over.
    """
    if not connection._local_candidates_end or connection.remote_password is None:
        raise ConnectionError("connecting before the descriptions were exchanged")
    for remote in connection._remote_candidates:
        connection._pair_remote_candidate(remote)
    connection.sort_check_list()
    connection._unfreeze_initial()
    for early in connection._early_checks:
        connection.check_incoming(*early)
    connection._early_checks.clear()
    connection._early_checks_done = True
    pacing = asyncio.ensure_future(_pace(connection))
    try:
        result = await connection._check_list_state.get()
    finally:
        pacing.cancel()
    for pair in connection._check_list:
        if pair.task is not None:
            pair.task.cancel()
    if result != ICE_COMPLETED:
        raise ConnectionError("no pair of addresses works")
    connection._query_consent_task = asyncio.ensure_future(connection.query_consent())


async def _pace(connection: Connection) -> None:
    """Begin the checks of waiting pairs, one at a time, and repeat those that were probably lost."""
    looks = 0
    while connection._check_periodic():
        await asyncio.sleep(PACE)
        looks += 1
        if looks % REPEAT == 0:
            repeat_checks(connection)
