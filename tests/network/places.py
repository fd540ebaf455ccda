"""The networks that are tested: a host in a cloud, visitors at home and behind walls, a relay on the street."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.town import House, Town

PORTS = "50000-50099"
PUBLIC, PRIVATE, PRIVATE6 = "203.0.113.7", "192.0.2.4", "2001:db8:c::4"
RELAY = "203.0.113.50"
_HOMES = {1: ("203.0.113.9", "2001:db8:0::9"), 2: ("203.0.113.10", "2001:db8:0::10")}
_CLOUD6 = "2001:db8:0::1"

# A cloud's router: one public address for one private one, both ways, and a security group in front of it.
_ONE_TO_ONE = f"""
table ip cloud {{
    chain arriving {{ type nat hook prerouting priority dstnat; ip daddr {PUBLIC} dnat to {PRIVATE}; }}
    chain leaving {{ type nat hook postrouting priority srcnat; ip saddr {PRIVATE} snat to {PUBLIC}; }}
}}
table inet group {{
    chain through {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "inside0" accept
        tcp dport 8080 accept
        udp dport {PORTS} accept
        icmpv6 type echo-request accept
    }}
}}
"""
# A home's router: many behind one address, nothing in that nobody asked for.
_MASQUERADE = """
table ip home {
    chain leaving { type nat hook postrouting priority srcnat; oifname "street0" masquerade random; }
}
table inet wall {
    chain through {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        WALL
        iifname "inside0" accept
    }
}
"""
NO_UDP = "meta l4proto udp drop"  # as offices do


@dataclass(frozen=True, slots=True)
class Cloud:
    """A server's place. host: where it runs; it knows only its private address."""

    host: House
    url: str = f"http://{PUBLIC}:8080"
    url6: str = f"http://[{PRIVATE6}]:8080"


def cloud(town: Town) -> Cloud:
    """A host behind 1:1 address translation, with a global IPv6 address, and a firewall that lets the ports through."""
    router, host = town.build(), town.build()
    town.connect(router, "street0", "203.0.113.1/24", f"{PUBLIC}/24", f"{_CLOUD6}/64")
    town.extend(router, host, "inside0", ["192.0.2.1/24", "2001:db8:c::1/64"], [f"{PRIVATE}/24", f"{PRIVATE6}/64"])
    router.route()
    router.rules(_ONE_TO_ONE)
    for number, (_, home6) in _HOMES.items():
        router.run(f"ip -6 route add 2001:db8:a{number}::/64 via {home6}")
    return Cloud(host)


def home(town: Town, wall: str = "", number: int = 1) -> House:
    """A visitor behind a home router: IPv4 translated, IPv6 global. wall: a rule for what leaves; number: 1 or 2."""
    router, visitor = town.build(), town.build()
    address, address6 = _HOMES[number]
    town.connect(router, "street0", f"{address}/24", f"{address6}/64")
    gateway = ["198.51.100.1/24", f"2001:db8:a{number}::1/64"]
    own = ["198.51.100.2/24", f"2001:db8:a{number}::2/64"]
    town.extend(router, visitor, "inside0", gateway, own)
    router.route()
    router.rules(_MASQUERADE.replace("WALL", wall))
    router.run(f"ip -6 route add 2001:db8:c::/64 via {_CLOUD6}")
    return visitor


def relay(town: Town) -> House:
    """A host on the street itself."""
    house = town.build()
    town.connect(house, "eth0", f"{RELAY}/24")
    return house
