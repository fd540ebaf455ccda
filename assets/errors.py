"""What a store can complain about. One tree, handled once by whoever asked.

StoreError
├── NotFoundError       no such model or key, or it has just been removed
├── ForbiddenError      the store refuses us: no credentials, not these, or not this address
├── CorruptError        what came, or lies there, is not what was published; asking again does not help
├── UnavailableError    not now: network, throttling, time-outs; asking again may help
│   └── BrokenOffError      after it had begun; what came is right, going on from there may help
├── FullError           no room on this machine's disk
├── ChangedError        the file has another content than the one that was asked for
├── ConflictError       somebody else has written in between; read again, then try again
├── UnlistableError     this kind of store cannot say what is in it
└── (StoreError itself)     the request is at fault: no such folder, no address that is known, a key outside the store
"""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StoreError(Exception):
    """The store cannot be used; the message is one line that names it and says what to do."""


class NotFoundError(StoreError):
    """The store is fine and has nothing of that name."""


class ForbiddenError(StoreError):
    """The store refuses us. The message says what it lacks: credentials, a right, another region, a right clock."""


class CorruptError(StoreError):
    """Bytes differ from what was published: checksum, length or form."""


class UnavailableError(StoreError):
    """The store does not answer now, after the tries that were allowed."""


class BrokenOffError(UnavailableError):
    """Bytes came, then no more."""


class FullError(StoreError):
    """This machine's disk, or what is allowed of it, is full."""


class ChangedError(StoreError):
    """The file under this key is no longer the one with the given ETag."""


class ConflictError(StoreError):
    """A compare-and-swap found another content than the expected one."""


class UnlistableError(StoreError):
    """A CDN has files, not listings."""


def disk_error(error: OSError, what: str) -> StoreError:
    """What an OSError of this machine's file system means for `what` (a path or key)."""
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return FullError(f"{what}: no room on the disk: {reason}")
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return NotFoundError(f"{what}: no such file")
    if isinstance(error, PermissionError):
        return ForbiddenError(f"{what}: {reason}")
    return StoreError(f"{what}: {reason}")
