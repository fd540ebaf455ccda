"""The sockets that HTTP listens on. `::` takes IPv4, too; a name listens on all its addresses."""

from __future__ import annotations

import errno
import socket

from streaming.errors import StartError

BACKLOG = 1024  # connections that wait to be accepted: as many as come back at once when a gateway has died
# A name may have an address of a family that this machine does without: then the other one serves.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Listening sockets, all on one port; 0 chooses it. The caller closes them. Raises StartError."""
    opened: list[socket.socket] = []
    refused: OSError | None = None
    try:
        for family, address in _addresses(host):
            try:
                opened.append(_listen(family, address, int(opened[0].getsockname()[1]) if opened else port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                refused = error
        if refused is not None and not opened:
            raise refused
    except OSError as error:
        for listener in opened:
            listener.close()
        raise StartError(_refusal(error, host, port)) from error
    return opened


def _addresses(host: str) -> list[tuple[int, str]]:
    """(family, address), IPv4 first; a name without addresses raises OSError."""
    found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    usable = {(int(family), str(address[0])) for family, *_, address in found}
    if not socket.has_dualstack_ipv6():
        usable = {pair for pair in usable if pair[0] == socket.AF_INET} or usable
    return sorted(usable)


def _listen(family: int, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; give another one with --port"
    return f"cannot listen on {host}:{port}: {error.strerror}"
