"""Two network namespaces: the instance's, and one outside that translates its public address 1:1, as EC2 does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

INSIDE, OUTSIDE = "vitrine-image-in", "vitrine-image-out"
PRIVATE, GATEWAY = "10.77.0.5", "10.77.0.1"
PUBLIC, PUBLIC_AGAIN = "203.0.113.7", "203.0.113.8"  # before and after it was stopped and started
_NAT = """
table ip nat {
  chain output {
    type nat hook output priority -100;
    ip daddr { %s, %s } dnat to %s
  }
}
"""


@contextmanager
def networks() -> Iterator[None]:
    """Both, joined, while the block runs. Needs root, iproute2 and nftables."""
    try:
        for name in (INSIDE, OUTSIDE):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "eth0", "netns", INSIDE, "type", "veth", "peer", "name", "eth0", "netns", OUTSIDE)
        for name, address in ((INSIDE, PRIVATE), (OUTSIDE, GATEWAY)):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", INSIDE, "route", "add", "default", "via", GATEWAY)
        run("ip", "-n", OUTSIDE, "address", "add", "169.254.169.254/32", "dev", "lo")
        for address in (PUBLIC, PUBLIC_AGAIN):
            run("ip", "-n", OUTSIDE, "route", "add", f"{address}/32", "dev", "eth0")
        run("ip", "netns", "exec", OUTSIDE, "nft", "-f", "-", text=_NAT % (PUBLIC, PUBLIC_AGAIN, PRIVATE))
        yield
    finally:
        for name in (INSIDE, OUTSIDE):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def outside(*command: str) -> list[str]:
    """The same command, run where the instance's viewers and its cloud are."""
    return ["ip", "netns", "exec", OUTSIDE, *command]


def run(*command: str, text: str | None = None) -> str:
    """What it prints. Raises CalledProcessError, which has what it complained of."""
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout
