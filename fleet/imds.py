"""Instance metadata (IMDSv2): what this instance is, and what is announced to it. Asks the link-local service only.

Nothing is followed, and no proxy is used. The token is asked for with a PUT, whose answer the service sends with a hop
limit of 1: what runs in a container or behind a forwarding proxy here gets none.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fleet.errors import SettingsError, UnavailableError
from fleet.lifecycle import Instance, Notices, Target

ENDPOINT = "http://169.254.169.254"
SECONDS = 1.0  # for one answer; the service is on this very host
TOKEN_SECONDS = 21_600  # the longest that there is
TOKEN_RENEW_SECONDS = 300  # before its end
MOST_BYTES = 64 << 10  # of an answer
_META = "/latest/meta-data/"


class Metadata:
    """One connection a question. clock: seconds, monotonic. endpoint: `http://address[:port]`."""

    def __init__(self, endpoint: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError."""
        parts = urlsplit(endpoint or ENDPOINT)
        if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
            raise SettingsError(f"metadata endpoint {endpoint!r}: expected http://address or http://address:port")
        self._host, self._port, self._clock = parts.hostname, parts.port or 80, clock
        self._lock = threading.Lock()
        self._token, self._renew = "", 0.0

    def instance(self) -> Instance:
        """Who this is. Raises UnavailableError, also where there is no such service."""
        return Instance(
            id=self._needed("instance-id"),
            zone=self._needed("placement/availability-zone"),
            type=self._needed("instance-type"),
            address=self._needed("local-ipv4"),
            spot=self._needed("instance-life-cycle") == "spot",
        )

    def notices(self) -> Notices:
        """What is announced. Raises UnavailableError."""
        action = self.get("spot/instance-action")
        advice = self.get("events/recommendations/rebalance")
        return Notices(
            interruption=None if action is None else _time_of(action),
            rebalance=advice is not None,
            target=_target(self.get("autoscaling/target-lifecycle-state") or ""),
        )

    def get(self, path: str) -> str | None:
        """An entry below `/latest/meta-data/`; None when there is none. Raises UnavailableError."""
        for _ in range(2):  # the second time with a new token: the first may have been of a stopped instance's last run
            status, text = self._ask("GET", _META + path, {"X-aws-ec2-metadata-token": self._valid_token()})
            if status == 200:
                return text
            if status == 404:
                return None
            if status != 401:
                break
            with self._lock:
                self._token = ""
        raise UnavailableError(f"instance metadata: {path}: status {status}")

    def _needed(self, path: str) -> str:
        found = self.get(path)
        if found is None:
            raise UnavailableError(f"instance metadata have no {path}")
        return found

    def _valid_token(self) -> str:
        with self._lock:
            if not self._token or self._clock() >= self._renew:
                asked = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
                status, text = self._ask("PUT", "/latest/api/token", asked)
                if status != 200:
                    raise UnavailableError(f"instance metadata: no token: status {status}")
                self._token, self._renew = text, self._clock() + TOKEN_SECONDS - TOKEN_RENEW_SECONDS
            return self._token

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(MOST_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f"instance metadata: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _time_of(text: str) -> float | None:
    """Unix time of a Spot instance action. Hibernation and stopping end the service just as termination does."""
    try:
        told: Any = json.loads(text)
        return datetime.fromisoformat(told["time"].replace("Z", "+00:00")).timestamp()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnavailableError(f"instance metadata: spot/instance-action is {text[:100]!r}") from error


def _target(text: str) -> Target:
    try:
        return Target(text)
    except ValueError:
        return Target.NONE  # a state that is newer than this code: nothing is done about it
