"""Files of a published folder of this machine, served where they lie, each verified once. Copies and alters none."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from assets.bundle import Bundle, Item, Print, verify_file
from assets.cache import Download
from assets.errors import CorruptError, disk_error
from assets.store import Progress

MAX_KNOWN = 20_000  # files that are remembered to have been verified


class InPlace:
    """Takes the place of a cache. Safe to use from several threads."""

    most = sys.maxsize

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._known: dict[tuple[str, str], Print] = {}
        self._lock = threading.Lock()

    def fetch(self, bundle: Bundle, download: Download, progress: Progress | None = None) -> Path:
        """The bundle's first file. Raises CorruptError when one is not what the manifest says, or is not there."""
        del download, progress  # nothing moves
        return [self._verified(item) for item in bundle.items][0]

    def settle(self) -> None:
        """Nothing leaves."""

    def _verified(self, item: Item) -> Path:
        path = self._folder / item.key
        mark = (item.key, item.sha256 or "")
        with self._lock:
            known = self._known.get(mark)
        if not path.resolve().is_relative_to(self._folder):
            raise CorruptError(f"{path}: is a link out of the store's folder")
        try:
            look = verify_file(path, item.bytes, item.sha256 or "", known)
        except FileNotFoundError as error:
            raise CorruptError(f"{path}: the manifest names it, and it is not there") from error
        except OSError as error:
            raise disk_error(error, str(path)) from error
        with self._lock:
            self._known[mark] = look
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]
        return path
