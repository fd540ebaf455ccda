"""Owns the networks of the fleet's run: a region with hosts behind 1:1 translation, a balancer, visitors.

As on EC2: a host knows its private address only; the region's router translates a public one to it, both ways, and lets
in nothing but the media's UDP ports. HTTP reaches hosts from inside, through the balancer or from each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.town import House, Town

UDP_PORTS = "49152-49407"
HTTP_PORT = 8080
TABLE_PORT, CLOUD_PORT = 8000, 8001  # DynamoDB, and the Auto Scaling API
METADATA = "169.254.169.254"  # where each instance reads about itself
BALANCER_URL = "http://203.0.113.2"
SERVICES = "10.64.0.2"
_BALANCER, _ROUTER = "10.64.0.3", "10.64.0.1"
_MOST = 100  # hosts of a run

_RULES = """
table ip cloud {{
    chain arriving {{ type nat hook prerouting priority dstnat; {arriving} }}
    chain leaving {{ type nat hook postrouting priority srcnat; {leaving} }}
}}
table inet group {{
    chain through {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "inside0" accept
        udp dport {ports} accept
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one host runs. address: private; public: what visitors see."""

    house: House
    address: str
    public: str


class Region:
    """The networks. visitors: on the public street; services: where emulators run; balancer: between both."""

    def __init__(self, town: Town, hosts: int) -> None:
        self._town = town
        self._inside = town.pave()
        self._router = town.build()
        town.connect(self._router, "street0", "203.0.113.1/24", *(f"{_public(n)}/24" for n in range(hosts)))
        town.connect(self._router, "inside0", f"{_ROUTER}/24", street=self._inside)
        self._router.route()
        self._router.rules(_translated(min(hosts, _MOST)))
        self.visitors = town.build()
        town.connect(self.visitors, "eth0", "203.0.113.200/24")
        self.services = town.build()
        town.connect(self.services, "eth0", f"{SERVICES}/24", street=self._inside)
        self.balancer = town.build()
        town.connect(self.balancer, "eth0", f"{_BALANCER}/24", street=self._inside)
        town.connect(self.balancer, "eth1", "203.0.113.2/24")

    def site(self, number: int) -> Site:
        """A place for the host of this number, from 0."""
        house = self._town.build()
        self._town.connect(house, "eth0", f"{_private(number)}/24", street=self._inside)
        house.run(f"ip route add default via {_ROUTER}")
        house.run(f"ip address add {METADATA}/32 dev lo")
        return Site(house, _private(number), _public(number))


def _private(number: int) -> str:
    return f"10.64.0.{10 + number}"


def _public(number: int) -> str:
    return f"203.0.113.{10 + number}"


def _translated(hosts: int) -> str:
    pairs = [(_private(number), _public(number)) for number in range(hosts)]
    return _RULES.format(
        arriving=" ".join(f"ip daddr {public} dnat to {private};" for private, public in pairs),
        leaving=" ".join(f'oifname "street0" ip saddr {private} snat to {public};' for private, public in pairs),
        ports=UDP_PORTS,
    )
