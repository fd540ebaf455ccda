"""Debian's nginx as a CDN: a caching proxy in front of a bucket. It verifies nothing; TLS when given a certificate."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks.emulator import free_port

_CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn; {user}
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log; default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache keys_zone=cdn:1m max_size=1g use_temp_path=off;
  server {{
    listen 127.0.0.1:{port}{secure};
    location / {{
      proxy_pass {origin}/; proxy_http_version 1.1;
      proxy_set_header Authorization "{access}";
      proxy_cache cdn; proxy_cache_key $uri; proxy_cache_valid 200 10m; proxy_cache_lock on; proxy_cache_revalidate on;
      proxy_cache_background_update off; add_header X-Cache $upstream_cache_status;
    }}
  }}
}}
"""


# As CloudFront signs its requests to a bucket that nobody else may read; the emulator looks at the form.
_ACCESS = "AWS4-HMAC-SHA256 Credential=cdn/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@contextmanager
def nginx(program: str, folder: Path, origin: str, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The address that shows `origin` (a bucket's URL, or one below it). certificate: files of it and of its key."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    secure = f" ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}" if certificate else ""
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(folder=folder, port=port, origin=origin, access=_ACCESS, secure=secure, user=user)
    (folder / "nginx.conf").write_text(text)
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _await(port, process, folder / "error.log")
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself: two PEM files."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nginx did not start: {log.read_text() if log.exists() else 'no log'}")
