"""The guard: the address is checked where the socket is opened, and the checked address is the one connected to.

A name is looked up once for each connection. Each of its answers must be public, else a name that mixes public and
inner addresses would be let in by luck; the socket then gets the address itself, so that a second answer of the same
name (DNS rebinding) is never asked for.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpcore
from ada_url import URL, HostType

from scrapersky.domain.names import MAX_NAME_CHARS, name_refusal
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.addresses import Address, Network, check_grant, refusal
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.limits import MAX_ADDRESSES
from scrapersky.scraping.resolve import Resolver, look_up
from scrapersky.scraping.streams import Meter, MeteredStream

__all__ = ["PUBLIC", "GuardedBackend", "NetworkPolicy", "ResolveRule", "parse_resolve_rule", "refusal"]

WEB_PORTS: Final = (80, 443)
"""The ports of http and https. Other ports are other services, which a scan has no business to talk to."""


@dataclass(frozen=True, slots=True)
class ResolveRule:
    """Where connections to `host` go instead of where DNS says. `host` may begin with `*.`; `port` None is any."""

    host: str
    port: int | None
    address: Address
    to_port: int

    def matches(self, host: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host

    @property
    def precision(self) -> tuple[bool, int, bool]:
        """The more precise of two matching rules sorts higher."""
        return not self.host.startswith("*."), len(self.host), self.port is not None


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Where connections may go. The default is the public internet on the web's two ports.

    `allowed_networks` opens parts of loopback and private space (ValueError for anything else); `resolve` maps names
    to addresses, which are held to the same rules. `ports` are those of the URL: a rule may lead to another one.
    """

    allowed_networks: tuple[Network, ...] = ()
    resolve: tuple[ResolveRule, ...] = ()
    ports: tuple[int, ...] = WEB_PORTS

    def __post_init__(self) -> None:
        for network in self.allowed_networks:
            check_grant(network)

    def refusal(self, address: Address) -> str | None:
        """Why no connection may go to `address`, as "a loopback address"; None when it may."""
        return refusal(address, self.allowed_networks)

    def rule_for(self, host: str, port: int) -> ResolveRule | None:
        """The most precise rule for the host and port of a URL."""
        matching = [rule for rule in self.resolve if rule.matches(host, port)]
        return max(matching, key=lambda rule: rule.precision, default=None)


PUBLIC: Final = NetworkPolicy()


def parse_resolve_rule(text: str) -> ResolveRule:
    """The rule in `HOST[:PORT]=ADDR:PORT`, as in curl's --resolve; HOST may begin with `*.`, IPv6 is in brackets.

    Raises ValueError that names what is wrong.
    """
    source, equals, target = text.strip().partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not of the form HOST[:PORT]=ADDR:PORT")
    host, colon, port_text = source.partition(":")
    wildcard, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        url = URL(f"http://{name}/")
    except ValueError:
        raise ValueError(f"{host!r} is no host name") from None
    if url.host_type is not HostType.DEFAULT or url.href != f"http://{url.hostname}/" or "*" in url.hostname:
        raise ValueError(f"{host!r} is no host name")
    address_text, _, to_port_text = target.rpartition(":")
    try:
        address = ip_address(address_text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{target!r} is not of the form ADDR:PORT with an IP address") from None
    return ResolveRule(
        host=wildcard + url.hostname.removesuffix("."),
        port=_port(port_text) if colon else None,
        address=address,
        to_port=_port(to_port_text),
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is no port number")
    return int(text)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens the sockets of one site's client, to checked addresses and under the meter of the fetch in hand.

    `opened` counts the connections asked for, which tells whether a request went over one that had been kept.
    """

    def __init__(self, policy: NetworkPolicy, resolver: Resolver, meter: Meter) -> None:
        self.meter = meter
        self.opened = 0
        self._policy = policy
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the meter knows the time that is left
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """A connection to `host`. Raises FetchError: BLOCKED_ADDRESS, DNS_FAILURE, CONNECT_FAILURE, TIMEOUT, …"""
        self.opened += 1
        endpoints = self._endpoints(host, port)
        share = self.meter.limits.connect_seconds / len(endpoints)
        failure: OSError | None = None
        for address, to_port in endpoints:
            try:
                return MeteredStream(self._connect(address, to_port, share), lambda: self.meter)
            except OSError as error:
                failure = error
        self.meter.check()  # the end of the whole fetch is no word about this host
        raise FetchError(ErrorCode.CONNECT_FAILURE, f"nothing answers at {host} on port {port}") from failure

    def _endpoints(self, host: str, port: int) -> list[tuple[Address, int]]:
        """The checked addresses of `host` with the port to use there: one or more, or FetchError."""
        if port not in self._policy.ports:
            raise FetchError(ErrorCode.BLOCKED_ADDRESS, f"port {port} is not a port of the web")
        rule = self._policy.rule_for(host, port)
        if rule is not None:
            found = [(rule.address, rule.to_port)]
        else:
            found = [(address, port) for address in self._addresses(host, port)]
        for address, _ in found:
            reason = self._policy.refusal(address)
            if reason is not None:
                raise FetchError(ErrorCode.BLOCKED_ADDRESS, f"{host} leads to {reason}, not to the public internet")
        return found[:MAX_ADDRESSES]

    def _addresses(self, host: str, port: int) -> list[Address]:
        """Where `host` lies: itself when it is an IP address, which the URL parser has put into its usual form."""
        try:
            return [ip_address(host)]
        except ValueError:
            reason = name_refusal(host)
        if len(host) > MAX_NAME_CHARS:
            raise FetchError(ErrorCode.DNS_FAILURE, f"the name is longer than {MAX_NAME_CHARS} characters")
        if reason is not None:
            raise FetchError(ErrorCode.BLOCKED_ADDRESS, f"{host} is not looked up: {reason}")
        try:
            return [ip_address(text) for text in look_up(self._resolver, host, port, self.meter)]
        except ValueError:
            raise FetchError(ErrorCode.DNS_FAILURE, f"{host} has an answer that is no IP address") from None

    def _connect(self, address: Address, port: int, seconds: float) -> socket.socket:
        """A socket connected to the address itself: no name reaches the system here. Raises OSError, FetchError."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            left = self.meter.deadline - self.meter.check()
            sock.settimeout(min(seconds, left))
            sock.connect((str(address), port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.meter.check()
        except BaseException:
            sock.close()
            raise
        return sock
