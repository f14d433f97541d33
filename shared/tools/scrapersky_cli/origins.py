"""Addresses that are not the API's own: which of them may be read, and how, without what is only the API's."""

from collections.abc import Iterator

import httpx

from scrapersky.domain.loopback import is_loopback
from scrapersky_cli.errors import UnexpectedAnswer, Unreachable

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0  # between two pieces


def stream(url: httpx.URL, transport: httpx.BaseTransport | None) -> Iterator[bytes]:
    """The body behind an address that an answer of the API leads to, in pieces.

    No token is sent: the address carries its own right. Only https or this machine, and no further redirect.
    Raises ApiError; an error's message leaves the address's query out, since that is the right.
    """
    shown = url.copy_with(query=None, fragment=None, userinfo=b"")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        raise UnexpectedAnswer(f"the API leads to {shown}, which is no https address")
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    plain = httpx.Client(transport=transport, timeout=timeout, trust_env=not is_loopback(url.host))
    try:
        with plain, plain.stream("GET", url, headers={"User-Agent": "scrapersky-cli"}) as answer:
            if answer.status_code != httpx.codes.OK:
                raise UnexpectedAnswer(f"{shown}, where the API leads, answered {answer.status_code}")
            yield from answer.iter_bytes()
    except httpx.RequestError as error:
        raise Unreachable(f"{shown} broke off: {str(error) or type(error).__name__}") from error
