"""DTLS records of an open connection, read and written without pyOpenSSL's buffer and context manager for each.

Relies on private names of pyOpenSSL's Connection; tests/streaming/test_rtc_contract.py lists them. Not for handshakes.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

_LARGEST = 2048  # bytes of a record or a message, as much as aiortc reads

_private: Any = SSL
ffi, lib = _private._ffi, _private._lib


class Records:
    """Opens and seals for one connection."""

    def __init__(self, connection: SSL.Connection) -> None:
        target: Any = connection
        self._connection, self._ssl = target, target._ssl
        self._in, self._out = target._into_ssl, target._from_ssl
        self._cell = ffi.new("char[]", _LARGEST)
        self._view = ffi.buffer(self._cell)

    def open(self, datagram: bytes) -> bytes:
        """What a datagram says. Raises SSL.Error when it says nothing."""
        lib.BIO_write(self._in, datagram, len(datagram))
        size = lib.SSL_read(self._ssl, self._cell, _LARGEST)
        if size <= 0:
            self._connection._raise_ssl_error(self._ssl, size)
        return bytes(self._view[:size])

    def seal(self, message: bytes) -> bytes:
        """The datagram that says it. Raises SSL.Error."""
        size = lib.SSL_write(self._ssl, message, len(message))
        if size > 0:
            size = lib.BIO_read(self._out, self._cell, _LARGEST)
        if size <= 0:
            self._connection._raise_ssl_error(self._ssl, size)
        return bytes(self._view[:size])
