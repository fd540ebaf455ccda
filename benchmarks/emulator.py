"""Owns an S3 emulator (moto) in a process of its own, real HTTP on the loopback; knows nothing of what is measured."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import TracebackType

from benchmarks.errors import BenchError, UsageError

START_SECONDS = 60.0
CREDENTIALS = {  # any are right for the emulator; nothing of this machine's own settings is looked at
    "AWS_ACCESS_KEY_ID": "emulated",
    "AWS_SECRET_ACCESS_KEY": "emulated",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
_ORDERLY = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple(sys.argv[1], int(sys.argv[2]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""


class Emulator:
    """`with Emulator() as s3: s3.url`. Everything it keeps is gone with it.

    orderly: one request after the other. moto looks at a condition and writes in two steps, so that two requests at
    once can both pass; DynamoDB promises that they cannot. host: the address that it listens on.
    """

    def __init__(self, port: int = 0, *, orderly: bool = False, host: str = "127.0.0.1") -> None:
        self.port, self._orderly, self._host = port or free_port(), orderly, host
        self.url = f"http://{host}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Emulator:
        orderly = ["-c", _ORDERLY, self._host, str(self.port)]
        command = [sys.executable, *(orderly if self._orderly else ["-m", "moto.server", *self._listen()])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**CREDENTIALS, "PYTHONWARNINGS": "ignore", "PATH": "/usr/bin:/bin"},
        )
        try:
            self._await()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of its process. Raises BenchError when there is none."""
        if self._process is None:
            raise BenchError("the emulator does not run")
        return self._process.pid

    def close(self) -> None:
        """End the process; it has nothing to save."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listen(self) -> tuple[str, ...]:
        return "-H", self._host, "-p", str(self.port)

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise UsageError("the S3 emulator did not start; is moto installed? pip install 'moto[server]'")
            try:
                with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise BenchError(f"the S3 emulator did not answer within {START_SECONDS:.0f} s")


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
