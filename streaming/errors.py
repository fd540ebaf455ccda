"""What streaming can complain about. One tree, each error handled once, at the edge that can answer it.

StreamingError
├── ConfigError         an option or environment variable is wrong (command: exit 2)
│   └── StartError          the server cannot start here: port taken, no OpenGL device, no models folder
├── ProtocolError       a control message is wrong: answered by `error {code, message}`, the session lives
├── SignallingError     an HTTP request is wrong: answered by its status and one line of JSON
│   ├── AccessError         a token is missing, wrong or for something else
│   ├── RateError           one address asks too often
│   └── FullError           no place is free
├── EncoderError        a codec refused to open or to encode
└── ProcessLost         a child process went away while it was being asked
"""

from __future__ import annotations

from collections.abc import Mapping


class StreamingError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(StreamingError):
    """An option is wrong; the message is one line that names it, its value and what is allowed."""


class StartError(ConfigError):
    """The server cannot start on this machine as asked; the message says what to do."""


class ProtocolError(StreamingError):
    """A message that breaks the control protocol. code: a stable word for programs; the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SignallingError(StreamingError):
    """A request that cannot be served. status: HTTP; code: a stable word for programs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class AccessError(SignallingError):
    """Who asks may not. status: 401 for a token that is not valid, 403 for a valid one that does not allow it."""


class RateError(SignallingError):
    """An address asks too often. seconds: until it may ask again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(429, "too-often", message)
        self.seconds = seconds


class FullError(SignallingError):
    """No place is free. seconds: until one should ask again; queue: the place in line, None for who cannot wait."""

    def __init__(self, message: str, seconds: int, queue: Mapping[str, object] | None = None) -> None:
        super().__init__(503, "full", message)
        self.seconds = seconds
        self.queue = queue


class EncoderError(StreamingError):
    """A codec refused."""


class ProcessLost(StreamingError):
    """The process that was asked ended before it answered."""
