"""What an instance meets outside itself, for one that is a container: instance metadata, and Auto Scaling's answers.

`python -m tests.infra.image.outside STATE`: serves until killed. STATE is a folder: `metadata.json` (path → value, read
at every request), `user-data`, and `calls.jsonl`, to which every call of a service is added, a line of JSON each.

cloud-init asks with a token where the firmware says EC2, which a container's cannot. So what it asks, paths of
dated versions, needs none here; what Vitrine asks (`/latest/`) does.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

METADATA = ("169.254.169.254", 80)
SERVICES = ("10.77.0.1", 9000)
TOKEN = "token-of-the-image-test"
_VERSIONED = re.compile(r"/(?:latest|\d{4}-\d{2}-\d{2})/(api/token|user-data|meta-data/?.*|dynamic/?.*)")


class Metadata(BaseHTTPRequestHandler):
    """The instance metadata service, version 2 only: nothing without a token."""

    state: Path

    def do_PUT(self) -> None:
        """A token, always the same."""
        if self.path.endswith("/api/token") and "x-aws-ec2-metadata-token-ttl-seconds" in self.headers:
            self._answer(200, TOKEN.encode(), ttl=True)
        else:
            self._answer(400, b"")

    def do_GET(self) -> None:
        """A value, or the list of a folder's names."""
        if self.headers.get("x-aws-ec2-metadata-token") != TOKEN and self.path.startswith("/latest/"):
            return self._answer(401, b"")
        found = _VERSIONED.fullmatch(self.path)
        body = self._find(found[1]) if found else None
        return self._answer(200, body) if body is not None else self._answer(404, b"")

    def _find(self, path: str) -> bytes | None:
        if path == "user-data":
            return (self.state / "user-data").read_bytes()
        values: dict[str, str] = json.loads((self.state / "metadata.json").read_text())
        name = path.removeprefix("meta-data").strip("/")
        if not path.startswith("meta-data"):
            return None
        if name in values:
            return values[name].encode()
        below = name and name + "/"
        rest = {key.removeprefix(below) for key in values if key.startswith(below)}
        names = sorted({key.partition("/")[0] + ("/" if "/" in key else "") for key in rest})
        return "\n".join(names).encode() if names else None

    def _answer(self, status: int, body: bytes, *, ttl: bool = False) -> None:
        self.send_response(status)
        if ttl:
            self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class Services(BaseHTTPRequestHandler):
    """Any call of the query protocol: noted, and answered as if it had been done."""

    state: Path

    def do_POST(self) -> None:
        """Note the parameters."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with (self.state / "calls.jsonl").open("a") as file:
            file.write(json.dumps(dict(parse_qsl(body))) + "\n")
        action = dict(parse_qsl(body)).get("Action", "")
        answer = f"<{action}Response><{action}Result/><ResponseMetadata/></{action}Response>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


def main(state: Path) -> None:
    """Serve both until the process is killed."""
    Metadata.state = Services.state = state
    services = ThreadingHTTPServer(SERVICES, Services)
    threading.Thread(target=services.serve_forever, daemon=True).start()
    ThreadingHTTPServer(METADATA, Metadata).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
