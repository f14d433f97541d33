"""The addresses that webhooks may have: held to the rules of the fetcher's guard when they are given.

The guard looks at where a name leads each time that something is delivered. What can be told from the address alone
is told here, to whom can put it right.
"""

import re
from typing import Final

from ada_url import URL, HostType

from scrapersky.domain.names import dns_refusal

MAX_URL_CHARS: Final = 2048
"""As long as base_url may be, and as long as the row's text."""

WEB_PORTS: Final = ("80", "443")
"""Those that the guard opens connections to (scraping.guard.WEB_PORTS): other ports are other services."""

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/\\?]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


class InvalidReceiver(ValueError):
    """What was given is no address to deliver to. `reason` is for people and repeats nothing of the input."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def receiver_url(text: str) -> str:
    """The address in `text` as it is called: parsed by the URL standard, in ASCII, without the host's last dot.

    The address is a fixed point: `receiver_url(receiver_url(x)) == receiver_url(x)`.

    Raises:
        InvalidReceiver: it is no http(s) URL of a public name on a port of the web, or has user information or a
            fragment.
    """
    text = text.strip()
    # The URL standard silently drops tabs and newlines, and reads `https:/host` and `https:host` as if they were whole.
    if _CONTROL.search(text):
        raise InvalidReceiver("holds control characters")
    if len(text) > MAX_URL_CHARS:
        raise InvalidReceiver(f"is longer than {MAX_URL_CHARS} characters")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise InvalidReceiver("does not begin with https:// or http://")
    if "#" in text:
        raise InvalidReceiver("has a fragment, which no server gets to see")
    # An empty user name leaves no trace in the parsed URL, so that this is asked of the text.
    if "@" in _AUTHORITY_END.split(text[scheme.end() :].lstrip("/\\"), maxsplit=1)[0]:
        raise InvalidReceiver("holds user information: the signature tells who calls")
    try:
        url = URL(text)
    except ValueError:
        raise InvalidReceiver("is no valid URL") from None
    if url.host_type is not HostType.DEFAULT:
        raise InvalidReceiver("names an IP address and no host")
    host = url.hostname.removesuffix(".")
    reason = dns_refusal(host)
    if reason is not None:
        raise InvalidReceiver(f"names no public host: {reason}")
    if url.port not in ("", *WEB_PORTS):
        raise InvalidReceiver("names a port other than 80 and 443")
    url.hostname = host
    if len(url.href) > MAX_URL_CHARS:
        raise InvalidReceiver(f"is longer than {MAX_URL_CHARS} characters when it is encoded")
    return url.href
