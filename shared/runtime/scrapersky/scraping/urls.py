"""Addresses of the web as ada-url reads them (WHATWG): what is checked is what is connected to and asked for."""

from dataclasses import dataclass

from ada_url import URL, join_url

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.limits import MAX_URL_CHARS

_PORTS = {"http:": 80, "https:": 443}

# What browsers and servers in practice agree on; bounds a row and an answer.
_MAX_FACT_CHARS = 2_048


@dataclass(frozen=True, slots=True)
class WebUrl:
    """One http or https address, taken apart once. ASCII throughout; the fragment and any credentials are gone."""

    href: str
    scheme: str
    host: str
    """The host without brackets and trailing dot: a name of A-labels, or an IP address in its usual spelling."""
    port: int
    authority: str
    """Host and port as the Host header carries them: the scheme's own port is left out."""
    target: str
    """Path and query: the request target."""

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_web_url(text: str, base: WebUrl | None = None) -> WebUrl:
    """The address in `text`, relative to `base` when given. Raises FetchError for what cannot be fetched."""
    if len(text) > MAX_URL_CHARS:
        raise FetchError(ErrorCode.HTTP_ERROR, f"the address is longer than {MAX_URL_CHARS} characters")
    try:
        url = URL(text, base.href if base else None)
    except ValueError:
        raise FetchError(ErrorCode.HTTP_ERROR, "the address is no valid URL") from None
    if url.protocol not in _PORTS:
        raise FetchError(ErrorCode.BLOCKED_ADDRESS, "only http and https addresses are requested")
    if url.port == "0":  # which httpcore takes for no port at all, and so for another one than is asked for
        raise FetchError(ErrorCode.BLOCKED_ADDRESS, "port 0 is not a port of the web")
    url.username = ""
    url.password = ""
    url.hash = ""
    if url.hostname.endswith("."):
        if url.hostname.endswith(".."):  # no name of DNS; without one dot it might be read as another host
            raise FetchError(ErrorCode.HTTP_ERROR, "the address is no valid URL")
        # The same host to DNS, but neither SNI (RFC 6066 3) nor certificates know the dot.
        url.hostname = url.hostname.removesuffix(".")
    return WebUrl(
        href=url.href,
        scheme=url.protocol.removesuffix(":"),
        host=url.hostname.strip("[]"),
        port=int(url.port or _PORTS[url.protocol]),
        authority=url.host,
        target=url.pathname + url.search,
    )


def absolute_url(base: str, href: str | None) -> str | None:
    """`href` resolved against `base` as browsers do (WHATWG), if that makes an http(s) URL; else None."""
    if not href or len(href) > _MAX_FACT_CHARS:
        return None
    try:
        url = join_url(base, href)
    except ValueError:
        return None
    return url if url.startswith(("https://", "http://")) and len(url) <= _MAX_FACT_CHARS else None
