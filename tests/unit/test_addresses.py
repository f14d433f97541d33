"""Which addresses are public: a table by registry row, a second opinion for all others, and what may be opened."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_socket import SocketBlockedError

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.addresses import PUBLIC_IPV6, SPECIAL, Address, Network
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.guard import PUBLIC, GuardedBackend, NetworkPolicy, refusal
from scrapersky.scraping.limits import PAGE_LIMITS
from scrapersky.scraping.streams import Meter
from support.vectors import address_verdicts, read

VERDICTS = address_verdicts()

STRICTER = {
    "168.63.129.16/32": "Azure's host agent, in space that is public everywhere else",
    "192.0.0.0/24": "the registry calls two anycast addresses in it global: both are somebody's nearest router",
    "192.31.196.0/24": "AS112: global, but anycast name servers alone",
    "192.52.193.0/24": "AMT: global, but multicast relays alone",
    "192.88.99.0/24": "6to4 relays: an old row, which the standard library does not have",
    "192.175.48.0/24": "AS112, as above",
    "224.0.0.0/4": "multicast: global may be its scope, but no TCP connection goes there",
    "::/3": "outside of what IANA hands out, mapped and translated IPv4 addresses among it",
    "4000::/2": "outside of what IANA hands out",
    "8000::/1": "outside of what IANA hands out, global multicast among it",
    "2001::/23": "the registry calls some parts of it global: anycast, AMT, AS112, ORCHID; none is a web site's",
    "2002::/16": "6to4: the registry leaves open what it is; the relay connects to the IPv4 address inside",
    "2620:4f:8000::/48": "AS112, as above",
    "3fff::/20": "documentation since 2024, which older standard libraries do not know",
}
"""Where the guard refuses what `is_global` passes, in some version of Python. Nowhere does it pass more."""

_STRICTER = [ip_network(text) for text in STRICTER]


def is_public(address: Address) -> bool:
    """The second opinion: the standard library's, with the differences."""
    is_scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    return address.is_global and not is_scoped and not any(address in network for network in _STRICTER)


@pytest.mark.parametrize(("text", "verdict"), VERDICTS, ids=[text for text, _ in VERDICTS])
def test_every_address_of_the_table_has_its_verdict(text: str, verdict: str) -> None:
    assert (refusal(ip_address(text)) or "public") == verdict


def test_the_table_has_a_source_for_every_block_and_both_kinds_of_verdict() -> None:
    assert len({text for text, _ in VERDICTS}) >= 240
    assert sum(verdict == "public" for _, verdict in VERDICTS) >= 60
    assert all(block["source"] and block["addresses"] for block in read("addresses.toml")["block"])


def borders(network: Network) -> Iterator[Address]:
    """The first and the last address of a network, and their neighbours outside."""
    yield from {network[0], network[-1]}
    if int(network[0]):
        yield network[0] - 1
    if int(network[-1]) + 1 < 2**network.max_prefixlen:
        yield network[-1] + 1


@pytest.mark.parametrize("network", [*SPECIAL, str(PUBLIC_IPV6)])
def test_the_table_holds_every_border_of_the_guards_own(network: str) -> None:
    told = {ip_address(text) for text, _ in VERDICTS}
    assert [str(address) for address in borders(ip_network(network)) if address not in told] == []


def test_the_second_opinion_agrees_with_the_table() -> None:
    assert [text for text, verdict in VERDICTS if is_public(ip_address(text)) is not (verdict == "public")] == []


BORDERS = [address for network in map(ip_network, (*SPECIAL, *STRICTER)) for address in borders(network)]
NEAR_BORDERS = st.builds(
    lambda address, step: type(address)((int(address) + step) % 2**address.max_prefixlen),
    st.sampled_from(BORDERS),
    st.integers(-300, 300),
)
CARRIERS = ["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2001:db8::", "2a00:1450::5efe:0:0"]
CARRYING_IPV4 = st.builds(
    lambda carrier, inner: IPv6Address(int(IPv6Address(carrier)) + int(inner)),
    st.sampled_from(CARRIERS),
    st.ip_addresses(v=4),
) | st.builds(lambda inner: IPv6Address(0x2002 << 112 | int(inner) << 80), st.ip_addresses(v=4))
SCOPED = st.builds(lambda address: IPv6Address(f"{address}%eth0"), st.ip_addresses(v=6))
ADDRESSES = st.ip_addresses() | st.integers(0, 2**32 - 1).map(IPv4Address) | NEAR_BORDERS | CARRYING_IPV4 | SCOPED


@given(ADDRESSES)
def test_any_address_is_judged_as_the_second_opinion_does(address: Address) -> None:
    assert (refusal(address) is None) is is_public(address)


def would_connect(host: str, answers: list[Address]) -> bool:
    """Whether the guard goes as far as to make a socket, which no unit test can."""

    def resolver(host: str, port: int) -> list[str]:
        return [str(answer) for answer in answers]

    backend = GuardedBackend(PUBLIC, resolver, Meter(float("inf"), PAGE_LIMITS, lambda: False))
    with pytest.raises((FetchError, SocketBlockedError)) as end:
        backend.connect_tcp(host, 443)
    if isinstance(end.value, FetchError):
        assert end.value.code is ErrorCode.BLOCKED_ADDRESS
    return isinstance(end.value, SocketBlockedError)


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
@given(st.lists(ADDRESSES | st.sampled_from([ip_address("8.8.8.8"), ip_address("2a00::1")]), min_size=1, max_size=8))
@example([ip_address("8.8.8.8"), ip_address("2a00::1")])
def test_a_name_is_connected_to_if_all_of_its_answers_are_public(answers: list[Address]) -> None:
    assert would_connect("site.example", answers) is all(map(is_public, answers))


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
@given(ADDRESSES)
def test_an_address_in_place_of_a_name_is_judged_alike(address: Address) -> None:
    assert would_connect(str(address), []) is is_public(address)


@pytest.mark.parametrize(
    "network", ["127.0.0.0/8", "127.0.0.1/32", "10.1.0.0/16", "172.16.0.0/12", "192.168.1.0/24", "::1/128", "fd12::/16"]
)
def test_parts_of_loopback_and_private_space_can_be_allowed(network: str) -> None:
    policy = NetworkPolicy(allowed_networks=(ip_network(network),))
    inside = ip_network(network)[-1]
    assert PUBLIC.refusal(inside) is not None
    assert policy.refusal(inside) is None
    assert policy.refusal(ip_address("169.254.169.254")) is not None


@pytest.mark.parametrize(
    "network",
    [
        *["0.0.0.0/0", "::/0", "128.0.0.0/1", "126.0.0.0/7", "172.0.0.0/8", "192.168.0.0/15", "::/127", "8.8.8.8/32"],
        *["169.254.0.0/16", "169.254.169.254/32", "168.0.0.0/6", "fe80::/10", "fe80::1/128", "224.0.0.0/4"],
        *["fc00::/7", "fd00::/8", "fd00::/16", "100.64.0.0/10", "100.100.100.200/32", "::ffff:127.0.0.1/128"],
        *["fd00:42::42/128", "fd00:100::100:200/128", "fd00:a9fe:a9fe::1/128", "fd00:c1::a9fe:a9fe/128"],
        *["fd00:ec2::254/128", "fd00:ec2::23/128", "fd20::/16", "fd20:ce::254/128"],
        *["2001:db8::/32", "198.18.0.0/15", "168.63.129.16/32", "192.0.0.192/32"],
    ],
)
def test_wider_and_metadata_networks_cannot_be_allowed(network: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        NetworkPolicy(allowed_networks=(ip_network(network),))


def test_allowing_all_that_can_be_opens_no_metadata_service_and_no_disguise() -> None:
    grants = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/8", "fd80::/9")
    policy = NetworkPolicy(allowed_networks=tuple(map(ip_network, grants)))
    opened = {text for text, _ in VERDICTS if policy.refusal(ip_address(text)) is None}
    expected = {text for text, verdict in VERDICTS if verdict == "public"} | {
        text
        for text, verdict in VERDICTS
        if any(ip_address(text) in ip_network(grant) for grant in grants) and "%" not in text
    }
    assert opened == expected
    assert {"127.0.0.1", "10.0.0.1", "::1", "fc00::1"} <= opened  # the control: something is opened
