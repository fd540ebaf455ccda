"""coturn as it is set up in docs/network.md, on TLS and TCP, with a certificate made for the occasion."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.town import House
from tests.network.places import PUBLIC, RELAY

SECRET = "north-south-east-west"
URL = f"turns:{RELAY}:443?transport=tcp"
PLAIN_URL = f"turn:{RELAY}:3478?transport=tcp"  # Firefox cannot be made to trust a certificate of the moment
START_SECONDS = 10.0
_CONFIG = """\
listening-ip={address}
relay-ip={address}
tls-listening-port=443
listening-port=3478
min-port=60000
max-port=60099
realm=turn.example.com
use-auth-secret
static-auth-secret={secret}
cert={folder}/certificate.pem
pkey={folder}/key.pem
no-udp
no-dtls
no-cli
no-multicast-peers
no-tcp-relay
denied-peer-ip=0.0.0.0-255.255.255.255
denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
allowed-peer-ip={allowed}
pidfile={folder}/pid
userdb={folder}/db
log-file={folder}/log
simple-log
"""


@dataclass(frozen=True, slots=True)
class Relay:
    """secret: the file that the server reads; certificate: what clients trust."""

    secret: Path
    certificate: Path


@contextmanager
def relaying(house: House, folder: Path) -> Iterator[Relay]:
    """A TURN server inside, for as long as the block runs."""
    (folder / "secret").write_text(SECRET)
    _certify(folder, RELAY)
    config = folder / "turnserver.conf"
    config.write_text(_CONFIG.format(address=RELAY, allowed=PUBLIC, secret=SECRET, folder=folder))
    process = subprocess.Popen(
        house.space.command(["turnserver", "-c", str(config)]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until_open(house, process)
        yield Relay(folder / "secret", folder / "certificate.pem")
    finally:
        process.terminate()
        process.wait(10)


def _until_open(house: House, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with house.space.entered():
        while True:
            try:
                socket.create_connection((RELAY, 443), 1).close()
                return
            except OSError:
                assert process.poll() is None, "turnserver ended at once"
                assert time.monotonic() < deadline, "turnserver does not listen"
                time.sleep(0.05)


def _certify(folder: Path, address: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turn.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
