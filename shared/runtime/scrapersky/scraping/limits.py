"""What one fetch may cost. Every figure has its reason beside it."""

from dataclasses import dataclass
from typing import Final

MAX_URL_CHARS: Final = 8000
"""RFC 9110 4.1: every recipient should take URLs of 8000 octets; longer ones are traps or mistakes."""

MAX_ADDRESSES: Final = 4
"""Addresses of one name that a connection is tried to: two of each family is what a dual-stack site needs."""

MAX_PIECES: Final = 50_000
"""Chunks of one body. Each costs 7 us of the parser's time however small it is: a page sent byte by byte would take
five seconds of it. Servers that flush every line stay below this by far."""

MAX_TLS_OVERHEAD: Final = 128 * 1024
"""Bytes of a TLS handshake, or between two pieces of content: OpenSSL itself takes certificates up to 100 KB, and
session tickets and key updates are some hundred bytes."""

MAX_COOKIES: Final = 100
"""Cookies of one site, of which RFC 6265 6.1 asks for 50. A site that sets more at a time gets none of them back."""

MAX_COOKIE_CHARS: Final = 8 * 1024
"""The cookies of one request: common servers refuse a longer header (nginx and Apache stop at 8 KiB)."""

POLL_SECONDS: Final = 0.25
"""How long a blocking wait lasts before it is asked again whether the work is still wanted."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The bounds of one fetch, from the first look-up to the last byte. Seconds are wall time."""

    seconds: float
    """The whole fetch, with every redirect. What is asked before each of them, and waited for, has its own bounds."""
    wire_bytes: int
    """One response as sent: head, framing and body before decompression."""
    body_bytes: int
    """The body after decompression."""
    cut: bool = False
    """A body that is longer is cut at `body_bytes` rather than refused; its Content-Length refuses none."""
    only_html: bool = False
    """The body of an answer that says that it is anything but HTML is left unread: what it is, is known already."""
    connect_seconds: float = 5.0
    """Each of look-up, TCP connection and TLS handshake: a live host needs under one second, and three SYNs are sent
    in five, so that a dead host does not use up the time of the whole fetch."""
    header_bytes: int = 64 * 1024
    """The head of one response: eight times what common servers send at the most (nginx and Apache stop at 8 KiB)."""
    pieces: int = MAX_PIECES
    """Chunks of the body as sent."""
    redirects: int = 5
    """What RFC 9309 2.3.1.2 asks for robots.txt; a site that needs more for a page is a loop or a trap."""


PAGE_LIMITS: Final = FetchLimits(
    seconds=20.0,  # a visitor would have left long ago; leaves a worker's time for other sites
    wire_bytes=4 * 1024 * 1024,  # the largest of a hundred real home pages measured had 1.6 MB
    body_bytes=4 * 1024 * 1024,  # the cost of parsing grows with the bytes: this is some 50 ms
    only_html=True,
)
"""An HTML page."""

ROBOTS_LIMITS: Final = FetchLimits(
    seconds=10.0,  # it precedes every page, and a file this small takes one round trip
    wire_bytes=1024 * 1024,  # twice the file, for framing
    body_bytes=500 * 1024,  # RFC 9309 2.5: at least 500 KiB must be read, the rest may be ignored
    cut=True,
)
"""A robots.txt file."""

EXTRA_LIMITS: Final = FetchLimits(
    seconds=5.0,  # a site's facts do not wait for what most sites do not have
    wire_bytes=512 * 1024,
    body_bytes=512 * 1024,  # a web manifest or security.txt has some kilobytes; of a sitemap this is 3,000 addresses
    cut=True,
)
"""A file beside the pages: web manifest, security.txt, the first sitemap."""

SITEMAP_LIMITS: Final = FetchLimits(
    seconds=240.0,  # 50 MiB at 2 Mbit/s; a worker of 300 s then still has a minute to store the rest and hand over
    # The protocol allows 50 MiB and 50,000 URLs a file, uncompressed (sitemaps.org, "Sitemaps XML format").
    wire_bytes=64 * 1024 * 1024,
    # Five times that: files with pictures and languages go over it, and some sites never split theirs.
    body_bytes=256 * 1024 * 1024,
    cut=True,
    # Many sites write a file line by line, and flush each: 50,000 URLs of five lines are 250,000 chunks. This many are
    # 14 s of the parser's time, and 33 bytes each of the largest file. Before that, the seconds end what drips.
    pieces=2_000_000,
)
"""A sitemap, which is read as a stream: nothing of it is held, so that its size costs time alone."""

PROBE_LIMITS: Final = FetchLimits(
    seconds=10.0,  # a path that is only tried, one of many: what takes longer is no file that waits to be read
    wire_bytes=512 * 1024,  # the head, framing, and what of the body arrives before it is let go
    body_bytes=4 * 1024,  # a root element stands at the beginning, after a comment and a style sheet at the most
    cut=True,
)
"""The beginning of a file that may be a sitemap."""

POST_LIMITS: Final = FetchLimits(
    seconds=15.0,  # the least that Standard Webhooks recommends: a receiver has to take an event in, not to act on it
    wire_bytes=64 * 1024,  # head and body: the status is what counts, and the beginning of what is said beside it
    body_bytes=64 * 1024,
    cut=True,
    header_bytes=32 * 1024,
    redirects=0,
)
"""The answer of a webhook's receiver."""
