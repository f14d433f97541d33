"""Pages that lead on by themselves: `<meta http-equiv="refresh">`."""

import re
from typing import Final

from scrapersky.scraping.page import PageFacts
from scrapersky.scraping.urls import absolute_url
from scrapersky.scraping.walls import MAX_FRAME_CHARS

MAX_SECONDS: Final = 5
"""What leads on sooner is not there to be read; later ones show a page anew, or say goodbye first."""

MAX_LINKS: Final = 2
"""To where the page leads anyway, for browsers that stay: more are a menu."""

# HTML Standard, "shared declarative refresh steps": seconds, then the address, in quotes or without. Bounded digits, so
# that a long row of them is looked at once.
_REFRESH = re.compile(
    r"""(\d{0,9})[\d.]{0,9}(?=[;,\s])\s*[;,]?\s*(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.*))""", re.IGNORECASE | re.DOTALL
)


def refresh(page: PageFacts) -> tuple[int, str] | None:
    """(after how many seconds, where to) a page leads on; None when it does not. The address is as it stands."""
    found = _REFRESH.match(page.metas.get("refresh", "").strip())
    if found is None:
        return None
    seconds, *spellings = found.groups()
    address = next((spelling.strip() for spelling in spellings if spelling), "")
    return (int(seconds or 0), address) if address else None


def only_leads_to(page: PageFacts) -> str | None:
    """The absolute URL that a page is nothing but the way to; None when it stays, or says anything itself."""
    leads = refresh(page)
    if leads is None or leads[0] > MAX_SECONDS:
        return None
    if len(page.text.strip()) > MAX_FRAME_CHARS or len(page.links) > MAX_LINKS:
        return None
    url = absolute_url(page.base_url, leads[1])
    return url if url and url.partition("#")[0] != page.url.partition("#")[0] else None
