"""What this host shows most, remembered in a small file from one start to the next. Counts sessions, knows no viewer.

Counts halve whenever they add up to LIMIT, so that what was popular long ago gives way. Another host may keep its
counts in the same folder: the last one to write wins, which harms nobody.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NAME = "shown.json"
LIMIT = 10_000  # sessions
MODELS = 1000  # counted; the least shown leave
MAX_BYTES = 1 << 20

logger = logging.getLogger(__name__)


class Popular:
    """Sessions of each model. file: where they are kept; None = nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / NAME
        self._counts: Counter[str] = Counter()
        self._changed = False

    def read(self) -> None:
        """What was counted before. Blocking. A file that is not ours, or broken, counts as none."""
        if self._file is None:
            return
        with suppress(OSError, ValueError, RecursionError):
            if self._file.stat().st_size <= MAX_BYTES:
                self._counts = _checked(json.loads(self._file.read_bytes()))

    def count(self, model: str) -> None:
        """One more session."""
        self._counts[model] += 1
        self._changed = True
        if self._counts.total() >= LIMIT or len(self._counts) > 2 * MODELS:
            halved = {model: count // 2 for model, count in self._counts.most_common(MODELS)}
            self._counts = Counter({model: count for model, count in halved.items() if count})

    def hottest(self, models: Iterable[str], most: int) -> list[str]:
        """Of these, so many: those shown most, then in the order given."""
        return sorted(models, key=lambda model: -self._counts[model])[:most]

    def write(self) -> None:
        """Keep what has been counted. Blocking; a disk that is full only costs the memory of it."""
        if self._file is None or not self._changed:
            return
        self._changed = False
        data = json.dumps(dict(self._counts.most_common(MODELS)))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=NAME, dir=self._file.parent)
            with os.fdopen(number, "w") as file:
                file.write(data)
            Path(name).replace(self._file)
        except OSError as error:
            logger.warning("%s cannot be kept: %s", self._file, error)


def _checked(data: object) -> Counter[str]:
    if not isinstance(data, dict):
        return Counter()
    known = {model: count for model, count in data.items() if type(count) is int and 0 < count <= LIMIT}
    return Counter(dict(list(known.items())[:MODELS]))
