"""What the scans of a run may cost: the product's limits made smaller, so that what uses them up does so in seconds.

Only figures are changed, in the worker's process, before its first scan; what is done when one is reached is the
product's own. The kinds of sites know these figures, so that what must come of them can be told exactly.
"""

from typing import Any, Final

MAX_FILES: Final = 40
"""10,000 in the product: a site with more would be most of the run."""

FILE_SECONDS: Final = 12.0
"""240 in the product. Far above what a small file takes on a busy machine, so that only slow sites come to it."""

ROBOTS_SECONDS: Final = 5.0
"""10 in the product."""

PAGE_SECONDS: Final = 7.0
"""20 in the product."""

PROBE_SECONDS: Final = 5.0
"""10 in the product."""

WIRE_BYTES: Final = 400_000
"""64 MiB in the product."""

MAX_BYTES: Final = 1_600_000
"""256 MiB in the product: four times what may be sent, as here."""


def lower() -> None:
    """Lower them in this process."""
    from scrapersky.db import sitemap_add
    from scrapersky.scraping import limits
    from scrapersky.scraping.sitemaps.reader import SitemapReader
    from scrapersky.services import sitemap_reading

    def change(of: object, **figures: Any) -> None:
        for name, figure in figures.items():
            assert hasattr(of, name), name
            object.__setattr__(of, name, figure)  # frozen, and the default of functions that are made already

    change(limits.SITEMAP_LIMITS, seconds=FILE_SECONDS, wire_bytes=WIRE_BYTES, body_bytes=MAX_BYTES)
    change(limits.ROBOTS_LIMITS, seconds=ROBOTS_SECONDS)
    change(limits.PAGE_LIMITS, seconds=PAGE_SECONDS)
    change(limits.PROBE_LIMITS, seconds=PROBE_SECONDS)
    most, *others = SitemapReader.__init__.__defaults__ or ()
    assert most == 256 * 1024 * 1024
    SitemapReader.__init__.__defaults__ = (MAX_BYTES, *others)
    for module in (sitemap_add, sitemap_reading):
        assert vars(module)["MAX_FILES"] == 10_000
        vars(module)["MAX_FILES"] = MAX_FILES


def told() -> str:
    """The figures, for people."""
    return (
        f"limits of this run, lower than the product's so that it takes minutes: {MAX_FILES} files a scan (10,000),"
        f" {FILE_SECONDS:g} s a file (240), {ROBOTS_SECONDS:g} s a robots.txt (10), {PAGE_SECONDS:g} s a page (20),"
        f" {PROBE_SECONDS:g} s a probe (10), {WIRE_BYTES} bytes sent (64 MiB), {MAX_BYTES} bytes inflated (256 MiB)"
    )
