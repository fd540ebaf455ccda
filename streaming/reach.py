"""Under which addresses and ports viewers reach the media: what settings say, decided without a socket."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from streaming.errors import ConfigError

MOST_ADDRESSES = 8  # of this host that are offered to a viewer; each costs a socket


@dataclass(frozen=True, slots=True)
class Reach:
    """What an answer may say about this host.

    ports: UDP ports to bind, empty = any free one. interfaces: names of those to use, empty = all. everywhere: IP
    version → the public address that stands for this host. pairs: (private, public) for single addresses.
    """

    ports: range = range(0)
    interfaces: tuple[str, ...] = ()
    everywhere: tuple[tuple[int, str], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    def offered(self, addresses: Sequence[str], outward: Sequence[str]) -> list[tuple[str, str]]:
        """(address to bind, address to tell) in order of preference, at most MOST_ADDRESSES.

        addresses: those of this host; outward: those among them that it uses towards the Internet. Where an IP version
        has public addresses, nothing else of it is told: a private address is of no use outside, and browsers ask
        visitors for permission before a public page may talk to one. Who needs it inside names it: `private=private`.
        """
        found = [pair for address in addresses for pair in self._told(address, addresses, outward)]
        return sorted(found, key=lambda pair: _preference(pair[1]))[:MOST_ADDRESSES]

    def _told(self, address: str, addresses: Sequence[str], outward: Sequence[str]) -> list[tuple[str, str]]:
        version = ipaddress.ip_address(address).version
        public = dict(self.everywhere).get(version)
        mapped = [(private, told) for private, told in self.pairs if private == address]
        if mapped:
            return mapped
        if public is not None:
            mine = [a for a in addresses if ipaddress.ip_address(a).version == version]
            leading = [a for a in mine if a in outward] or mine
            return [(address, public)] if address in leading else []
        other = any(ipaddress.ip_address(private).version == version for private, _ in self.pairs)
        return [] if other else [(address, address)]


def parse_reach(public: Sequence[str], ports: str, interfaces: Sequence[str]) -> Reach:
    """Read `public_address`, `udp_ports` and `interfaces`. Raises ConfigError."""
    everywhere: dict[int, str] = {}
    pairs: list[tuple[str, str]] = []
    for item in public:
        private, separator, told = item.rpartition("=")
        address = _address(told, item)
        if separator:
            pairs.append((str(_own(private, address, item)), str(address)))
        elif everywhere.setdefault(address.version, str(address)) != str(address):
            raise ConfigError(
                f"public_address has {everywhere[address.version]} and {address}: "
                f"give one IPv{address.version} address, or pairs (private=public)"
            )
    return Reach(_ports(ports), tuple(interfaces), tuple(everywhere.items()), tuple(pairs))


def _address(text: str, item: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise ConfigError(
            f"public_address has {item!r}: expected an IP address, not a name, or private=public"
        ) from None
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        raise ConfigError(f"public_address has {item!r}: nobody can send to {address}")
    return address


def _own(
    text: str, public: ipaddress.IPv4Address | ipaddress.IPv6Address, item: str
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    private = _address(text, item)
    if private.version != public.version:
        raise ConfigError(f"public_address has {item!r}: both must be IPv4, or both IPv6")
    return private


def _ports(text: str) -> range:
    if not text:
        return range(0)
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 1 or found[-1] > 65535:
        raise ConfigError(f"udp_ports is {text!r}: expected FIRST-LAST within 1-65535, for example 50000-50999")
    return found


def _preference(address: str) -> int:
    """Global IPv6 first: no address translation is on its way; then IPv4, then IPv6 that is not routed everywhere."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return 1
    return 0 if parsed.is_global else 2
