"""Looking a name up, in bounded time."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.streams import Meter

Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) -> its IP addresses as text, the preferred first. Raises OSError when there are none."""


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the machine's own resolver gives, in the order of RFC 6724. May block for long.

    The name is asked for with its last dot, as absolute (RFC 1034 3.1): else a name that is not there would be looked
    for under the search list of this machine's network, and a page of that network be taken for the site's.
    """
    answers = socket.getaddrinfo(f"{host}.", port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


def look_up(resolver: Resolver, host: str, port: int, meter: Meter) -> Sequence[str]:
    """The addresses of `host`, at least one. Raises FetchError: DNS_FAILURE, TIMEOUT or CANCELLED.

    getaddrinfo knows no timeout and cannot be interrupted, so it runs in a thread that is left behind when the time
    is over; the system's resolver ends it within half a minute.
    """
    answer: Future[Sequence[str]] = Future()

    def resolve() -> None:
        try:
            answer.set_result(resolver(host, port))
        except Exception as error:  # handed over to the thread that waits
            answer.set_exception(error)

    def wait(seconds: float) -> None:
        if not answer.done():
            answer.exception(seconds)

    threading.Thread(target=resolve, name=f"look up {host}", daemon=True).start()
    try:
        meter.wait(wait, meter.limits.connect_seconds)
    except TimeoutError:
        raise FetchError(ErrorCode.DNS_FAILURE, f"the look-up of {host} did not end in time") from None
    try:
        addresses = answer.result()
    except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than DNS allows
        raise FetchError(ErrorCode.DNS_FAILURE, f"{host} could not be looked up") from error
    if not addresses:
        raise FetchError(ErrorCode.DNS_FAILURE, f"{host} has no address")
    return addresses
