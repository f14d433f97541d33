"""The one normaliser of domain names: whatever a caller types becomes one key, or is refused with a reason.

ada-url parses (the WHATWG URL standard, as browsers do); nothing else in the system reads a host out of text.
WHATWG allows hosts that DNS does not, so the parsed host is then held to the DNS rules.
"""

import re
from typing import Final

from ada_url import URL, HostType, idna

MAX_INPUT_CHARS: Final = 2048
"""Longer text is no domain that a person typed; the bound keeps the parser's work small."""

MAX_NAME_CHARS: Final = 253
"""RFC 1035 2.3.4: 255 octets on the wire, which is 253 characters as text without the last dot."""

SPECIAL_USE_SUFFIXES: Final = frozenset(
    {
        "alt",  # RFC 9476: names outside DNS
        "arpa",  # RFC 3172: infrastructure, among it home.arpa (RFC 8375) and the reverse zones
        "invalid",  # RFC 6761
        "local",  # RFC 6762: multicast DNS
        "localhost",  # RFC 6761
        "onion",  # RFC 7686: Tor
        "test",  # RFC 6761
        "internal",  # ICANN board 2024-07-29: reserved for private use
        "corp",  # RFC 6762 appendix G: names that private networks use, as are the next four
        "home",
        "intranet",
        "lan",
        "private",
        "localdomain",  # the default domain of many resolvers for this very machine
    }
)
"""Top-level labels that public DNS never answers for, or that mean a machine near the one that asks.

`.example`, `example.com` and the like are not here: RFC 6761 6.5 wants software to treat them as any other name,
they never mean an inner network, and they are the names that documentation, tests and demonstrations may use.
"""

# The URL standard reads a web address with any number of slashes, which may be backslashes: `http:/acme.com`.
_WEB_SCHEME = re.compile(r"https?:", re.IGNORECASE)
# A colon and one slash may also end a host whose port was left out: `acme.com:/x`.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+-]*:[/\\]|[A-Za-z][A-Za-z0-9+.-]*://")
_AUTHORITY_END = re.compile(r"[/\\?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class InvalidDomain(ValueError):
    """What was given is no public domain name. `reason` is for people and repeats nothing of the input."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def domain_key(text: str) -> str:
    """The key of the site that `text` names: a bare host, a host with port or path, or an http(s) URL.

    The key is the host in lower case as IDNA A-labels, without trailing dot, port and path, and without leading
    `www` labels while two labels remain. It is a fixed point: `domain_key(domain_key(x)) == domain_key(x)`.
    Raises InvalidDomain, and nothing else, for any other text.
    """
    host = _host(text)
    reason = dns_refusal(host)
    if reason is not None:
        raise InvalidDomain(reason)
    return _without_www(host)


def dns_refusal(host: str) -> str | None:
    """Why an ASCII host, as the URL parser gives it, is no public DNS name; None when it is one.

    RFC 1035 2.3.1 and RFC 1123 2.1: two labels or more, each of 1 to 63 letters, digits and inner hyphens.
    """
    if len(host) > MAX_NAME_CHARS:
        return f"the name is longer than {MAX_NAME_CHARS} characters"
    labels = host.split(".")
    if not all(labels):
        return "the name has an empty label"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "a label is not made of 1 to 63 letters, digits and inner hyphens"
    if labels[-1].isdigit():
        return "the last label is a number"
    if "xn--" in host and not _is_canonical_idna(host):
        return "the internationalised name is not valid IDNA"
    return name_refusal(host)


def name_refusal(host: str) -> str | None:
    """Why a host must not even be looked up: it has one label only or a special-use suffix. None when it may."""
    labels = host.rstrip(".").split(".")
    if len(labels) < 2:
        return "a single label is no public domain name"
    if labels[-1] in SPECIAL_USE_SUFFIXES:
        return f".{labels[-1]} names are not in the public DNS"
    return None


def _host(text: str) -> str:
    """The host that `text` names, as ada-url reads it, without a trailing dot. Raises InvalidDomain."""
    if len(text) > MAX_INPUT_CHARS:
        raise InvalidDomain(f"the text is longer than {MAX_INPUT_CHARS} characters")
    text = text.strip()
    if not text:
        raise InvalidDomain("no domain was given")
    # The URL standard silently drops tabs and newlines, which would join two lines into a third name.
    if _CONTROL.search(text):
        raise InvalidDomain("the text holds control characters")
    web = _WEB_SCHEME.match(text)
    if web is None and _SCHEME.match(text):
        raise InvalidDomain("only http and https addresses have a site to scan")
    rest = text[web.end() :] if web else text
    # An empty user name leaves no trace in the parsed URL, so that this is asked of the text.
    if "@" in _AUTHORITY_END.split(rest.lstrip("/\\"), maxsplit=1)[0]:
        raise InvalidDomain("the text holds user information or is an e-mail address")
    try:
        url = URL(f"https://{rest}")
    except ValueError:
        raise InvalidDomain(_unparsed(rest)) from None
    if url.host_type is not HostType.DEFAULT:
        raise InvalidDomain("an IP address is no domain name")
    return url.hostname.removesuffix(".")


def _unparsed(rest: str) -> str:
    """Why the URL parser refused: a bare IPv6 address gets its own reason."""
    if URL.can_parse(f"https://[{rest}]"):
        return "an IP address is no domain name"
    return "the text is no domain name"


def _is_canonical_idna(host: str) -> bool:
    """Whether each A-label decodes, and encodes back to itself: one name, one spelling (RFC 5890 2.3.2.1)."""
    unicode = idna.decode(host)  # leaves a label that it cannot decode as it is
    is_decoded = not any(label.startswith("xn--") for label in unicode.split("."))
    return is_decoded and idna.encode(unicode) == host.encode("ascii")


def _without_www(host: str) -> str:
    """Without leading `www` labels; all of them, or a key put in again would become another key."""
    while host.startswith("www.") and host.count(".") > 1:
        host = host.removeprefix("www.")
    return host
