"""Which IP addresses belong to the public internet: the tables, and nothing that opens a socket."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SPECIAL: Final[dict[str, str]] = {
    # IANA IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), multicast and reserved space
    "0.0.0.0/8": "an address of this network",  # RFC 791: Linux connects 0.0.0.0 to itself
    "10.0.0.0/8": "a private address",  # RFC 1918
    "100.64.0.0/10": "a carrier's inner address",  # RFC 6598; Alibaba's metadata service is in it
    "127.0.0.0/8": "a loopback address",  # RFC 1122
    "168.63.129.16/32": "a cloud host's own address",  # public space, but Azure's host agent answers within Azure
    "169.254.0.0/16": "a link-local address",  # RFC 3927; the metadata services of AWS, Azure and Google
    "172.16.0.0/12": "a private address",  # RFC 1918
    "192.0.0.0/24": "a protocol's own address",  # RFC 6890; Oracle's metadata service is in it
    "192.0.2.0/24": "a documentation address",  # RFC 5737
    "192.31.196.0/24": "a protocol's own address",  # RFC 7535 AS112
    "192.52.193.0/24": "a protocol's own address",  # RFC 7450 AMT
    "192.88.99.0/24": "a tunnel's address",  # RFC 7526: 6to4 relays, deprecated
    "192.168.0.0/16": "a private address",  # RFC 1918
    "192.175.48.0/24": "a protocol's own address",  # RFC 7534 AS112
    "198.18.0.0/15": "a benchmarking address",  # RFC 2544
    "198.51.100.0/24": "a documentation address",  # RFC 5737
    "203.0.113.0/24": "a documentation address",  # RFC 5737
    "224.0.0.0/4": "a multicast address",  # RFC 5771
    "240.0.0.0/4": "a reserved address",  # RFC 1112, with the broadcast address
    # IPv6: named for their text only, since all but the last five lie outside the one public block
    "::/128": "an unspecified address",  # RFC 4291
    "::1/128": "a loopback address",  # RFC 4291
    "::ffff:0:0/96": "an IPv4 address in IPv6 form",  # RFC 4291: sockets connect it as IPv4, past the table above
    "64:ff9b::/96": "an IPv4 address in IPv6 form",  # RFC 6052 NAT64
    "64:ff9b:1::/48": "an IPv4 address in IPv6 form",  # RFC 8215
    "100::/64": "a discard address",  # RFC 6666
    "fc00::/7": "a private address",  # RFC 4193; AWS's IPv6 metadata service is in it
    "fe80::/10": "a link-local address",  # RFC 4291
    "ff00::/8": "a multicast address",  # RFC 4291
    "2001::/23": "a protocol's own address",  # RFC 2928, with Teredo, ORCHID and benchmarking
    "2001:db8::/32": "a documentation address",  # RFC 3849
    "2002::/16": "a tunnel's address",  # RFC 3056: 6to4 carries an IPv4 address
    "2620:4f:8000::/48": "a protocol's own address",  # RFC 7534 AS112
    "3fff::/20": "a documentation address",  # RFC 9637
}

PUBLIC_IPV6: Final = IPv6Network("2000::/3")
"""All of global unicast that IANA hands out (RFC 4291 2.4)."""

_NEVER: Final = (
    IPv4Network("169.254.0.0/16"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:42::/32"),  # Scaleway
    IPv6Network("fd00:100::/32"),  # Alibaba Cloud
    IPv6Network("fd00:a9fe:a9fe::/48"),  # Linode
    IPv6Network("fd00:c1::/32"),  # Oracle Cloud
    IPv6Network("fd00:ec2::/32"),  # AWS
    IPv6Network("fd20:ce::/32"),  # Google Cloud
)
"""Link-local and metadata services: credentials lie there, so no configuration may open them."""

_GRANTABLE: Final = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
"""The loopback and private space of which a configuration may open a part."""

_TABLE: Final = tuple((ip_network(text), words) for text, words in SPECIAL.items())


def refusal(address: Address, granted: Iterable[Network] = ()) -> str | None:
    """Why no connection may go to `address`, as "a loopback address"; None for a public one or one in `granted`."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return "a link-local address"
    if any(address in network for network in granted) and not any(address in network for network in _NEVER):
        return None
    for network, words in _TABLE:
        if address in network:
            return words
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return "no public address"
    return None


def check_grant(network: Network) -> None:
    """Raise ValueError unless `network` is a part of loopback or private space, free of metadata services."""
    if not any(_within(network, space) for space in _GRANTABLE):
        raise ValueError(f"{network} is neither loopback nor private, and only such networks can be allowed")
    if any(network.version == never.version and network.overlaps(never) for never in _NEVER):
        raise ValueError(f"{network} holds link-local or metadata addresses, which are never allowed")


def _within(network: Network, space: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(space, IPv4Network) and network.subnet_of(space)
    return isinstance(space, IPv6Network) and network.subnet_of(space)
