"""Which IP addresses are public, by an explicit table.

`ipaddress.is_global` alone does not protect: Python 3.13.0 calls multicast, NAT64, 6to4 relays and fec0::/10 global.
The table follows the IANA special-purpose address registries (IPv4: RFC 6890 and updates; IPv6: the same, and of the
IPv6 space only 2000::/3 is allocated as global unicast) and adds what clouds serve to their own machines.
"""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

type Address = IPv4Address | IPv6Address


class Reach(Enum):
    """Who may be behind an address."""

    PUBLIC = "public"
    # Loopback and private networks: callable by explicit setting.
    PRIVATE = "private"
    # Link-local, metadata services, multicast, reserved and transition forms: never callable.
    FORBIDDEN = "forbidden"


_PRIVATE = {
    "10.0.0.0/8": "a private network (RFC 1918)",
    "172.16.0.0/12": "a private network (RFC 1918)",
    "192.168.0.0/16": "a private network (RFC 1918)",
    "127.0.0.0/8": "loopback",
    "::1/128": "loopback",
    "fc00::/7": "a private network (RFC 4193)",
}

# Looked at first: some of these lie within a private or public range.
_FORBIDDEN = {
    "0.0.0.0/8": "this network (RFC 791)",
    "100.64.0.0/10": "carrier-grade NAT (RFC 6598)",
    "168.63.129.16/32": "a cloud's platform service",
    "169.254.0.0/16": "link-local, where metadata and credentials are served",
    "192.0.0.0/24": "IETF protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "a 6to4 relay",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved or broadcast",
    "2001::/23": "IETF protocol assignments, Teredo among them",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "fd00:42::42/128": "a cloud's metadata service",
    "fd00:c1::/32": "a cloud's metadata service",
    "fd00:ec2::/32": "a cloud's metadata service",
    "fd20:ce::/32": "a cloud's metadata service",
}


def _table[N: (IPv4Network, IPv6Network)](kind: type[N], rows: dict[str, str]) -> list[tuple[N, str]]:
    return [(kind(network), what) for network, what in rows.items() if (":" in network) == (kind is IPv6Network)]


_PRIVATE_4, _PRIVATE_6 = _table(IPv4Network, _PRIVATE), _table(IPv6Network, _PRIVATE)
_FORBIDDEN_4, _FORBIDDEN_6 = _table(IPv4Network, _FORBIDDEN), _table(IPv6Network, _FORBIDDEN)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def reach_of(address: Address) -> tuple[Reach, str]:
    """Say who may be behind an address, and describe the address.

    Of the forms of IPv6 that carry an IPv4 address, only NAT64 counts as that address (`without_nat64`); the others
    (mapped, compatible, 6to4, Teredo) are forbidden.
    """
    address = without_nat64(address)
    if isinstance(address, IPv6Address):
        return _look_up(address, _FORBIDDEN_6, _PRIVATE_6, within=_GLOBAL_UNICAST_6)
    return _look_up(address, _FORBIDDEN_4, _PRIVATE_4)


def without_nat64(address: Address) -> Address:
    """The IPv4 address inside one of NAT64's well-known prefix (RFC 6052); every other address as it is.

    Resolvers of IPv6-only networks answer with that prefix for any host, so what is inside decides.
    """
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address


def _look_up[A: (IPv4Address, IPv6Address), N: (IPv4Network, IPv6Network)](
    address: A, forbidden: list[tuple[N, str]], private: list[tuple[N, str]], within: N | None = None
) -> tuple[Reach, str]:
    for network, what in forbidden:
        if address in network:
            return Reach.FORBIDDEN, what
    for network, what in private:
        if address in network:
            return Reach.PRIVATE, what
    if within is not None and address not in within:
        return Reach.FORBIDDEN, "outside the public IPv6 range 2000::/3"
    return Reach.PUBLIC, "a public address"


def parse_address(text: str) -> Address | None:
    """Read an address in its one canonical kind of spelling; None for anything else, a zone id included."""
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None
