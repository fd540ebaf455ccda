"""How the server's processes log: a line of text or of JSON, with the session's number, never with a token.

Chooses no level and no destination: those are the command's.
"""

from __future__ import annotations

import json
import logging
import re
import time

FORMATS = ("text", "json")
FIELDS = ("session", "model", "codec", "network", "address", "token", "seconds")  # of `extra`; token: its name (jti)

# A JWT begins with the base64 of '{"'. Whatever a library chooses to log, its signature is not in it afterwards.
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?")


def redacted(text: str) -> str:
    """The text without tokens."""
    return _TOKEN.sub("(token)", text)


class TextFormatter(logging.Formatter):
    """LEVEL role logger: message; role "" is left out."""

    def __init__(self, role: str) -> None:
        super().__init__(f"%(levelname)s {f'{role} ' if role else ''}%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """An object a line: time (UTC), level, process, logger, message, what is known of FIELDS, exception."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._role or "parent",
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name in FIELDS if (value := getattr(record, name, None)) not in (None, "")}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return redacted(json.dumps(entry, ensure_ascii=False, default=str))


def install(form: str, role: str = "") -> None:
    """Give every handler of the root logger this form. role: the process, "" = the parent of the others."""
    formatter = JsonFormatter(role) if form == "json" else TextFormatter(role)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
