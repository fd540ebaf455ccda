"""What a viewer last said of each kind: enough to open its session again in another render process. Draws nothing."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from streaming.ipc import CameraInput
from streaming.protocol import Animation, Inbound

_PASSING = frozenset({"hello", "pick", "ping", "report"})  # answered or counted once, they change no state


class Replay:
    """Bounded by the number of message types. heard: when the viewer last said something; seconds, monotonic."""

    def __init__(self) -> None:
        self.heard = time.monotonic()
        self.bitrate: int | None = None  # newest that was aimed at, bits per second
        self._camera: CameraInput | None = None
        self._said: dict[str, tuple[float, Inbound]] = {}

    def camera(self, camera: CameraInput) -> None:
        """A camera message came."""
        self.heard = time.monotonic()
        if self._camera is None or camera.seq >= self._camera.seq:
            self._camera = camera

    def message(self, message: Inbound) -> None:
        """A control message came."""
        self.heard = time.monotonic()
        if message.type not in _PASSING:
            self._said.pop(message.type, None)  # so that the newest stands last
            self._said[message.type] = (self.heard, message)

    def told(self) -> dict[str, Any]:
        """Parameters of the request that opens the session: messages in the order in which they came, the camera last.

        A playing animation has gone on meanwhile.
        """
        now = time.monotonic()
        messages = [_spelled(message, now - since) for since, message in self._said.values()]
        camera = self._camera
        if camera is not None:
            fields = {"seq": camera.seq, "orbit": [*camera.orbit], "target": [*camera.target], "fov": camera.fov}
            messages.append({"type": "camera", **fields})
        return {"messages": messages} | ({} if self.bitrate is None else {"bitrate": self.bitrate})


def _spelled(message: Inbound, age: float) -> dict[str, Any]:
    fields = {"type": message.type, **asdict(message)}
    if isinstance(message, Animation) and message.play:
        fields["time"] = message.time + age
    return fields
