"""What a profile's address looks like on each social network, and its one spelling. Share and widget links are none.

Each network has the domains that it answers under and a function from the path's segments to the canonical URL.
Names are folded to lower case where the network takes either.
"""

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs

from scrapersky.scraping.words import own_pages, words

_NAME = re.compile(r"[\w.%+-]{1,100}")
_LINKEDIN_NAME = re.compile(r"[\w.%+&'-]{1,100}")  # those of old have the signs of the company's name
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")  # X Help Center: letters, digits and _, up to 15


class Address(NamedTuple):
    """A link taken apart: path segments, percent-decoded, at least one; host without `www.`; query."""

    segments: list[str]
    host: str
    query: str


Canonical = Callable[[Address], str | None]
"""The canonical URL of a link's profile, or None for what is no profile."""


def is_nobody(canonical: str) -> bool:
    """Whether a profile is a template's or its maker's: the site's own only where the site bears that name."""
    return handle_of(canonical) in words("nobody")


def handle_of(canonical: str) -> str:
    """The name in a canonical profile URL, lower case, without `@`."""
    return canonical.rpartition("/")[2].rpartition("=")[2].lower().lstrip("@")


def is_own_page(network: str, segment: str) -> bool:
    """Whether a first path segment is the network's own and nobody's profile."""
    return segment.lower() in own_pages().get(network, ())


def _facebook(at: Address) -> str | None:
    first = at.segments[0].lower()
    if first == "profile.php":
        number = parse_qs(at.query).get("id", [""])[0]
        return f"https://www.facebook.com/profile.php?id={number}" if number.isdecimal() and number.isascii() else None
    if first in ("pages", "people", "p", "pg"):
        kept = at.segments[: 2 if first in ("p", "pg") else 3]
        if first == "pages" and len(at.segments) > 3 and at.segments[1].lower() == "category":
            kept = ["pages", *at.segments[-2:]]
        if len(kept) < 2 or not all(_NAME.fullmatch(segment) for segment in kept) or kept[1].lower() == "create":
            return None
        # A page under /pg/ is the page itself.
        return "https://www.facebook.com/" + ("/".join(kept) if first != "pg" else kept[1].lower())
    tab = len(at.segments) == 1 or (len(at.segments) == 2 and at.segments[1].lower() in words("page_tab"))
    return f"https://www.facebook.com/{first}" if tab and _NAME.fullmatch(at.segments[0]) else None


def _twitter(at: Address) -> str | None:
    site = "x.com" if at.host.endswith("x.com") else "twitter.com"
    name = at.segments[0].removeprefix("@")
    return f"https://{site}/{name.lower()}" if len(at.segments) == 1 and _HANDLE.fullmatch(name) else None


def _linkedin(at: Address) -> str | None:
    kind = {"companies": "company"}.get(at.segments[0].lower(), at.segments[0].lower())
    if (
        kind not in ("company", "school", "showcase", "in")
        or len(at.segments) < 2
        or not _LINKEDIN_NAME.fullmatch(at.segments[1])
    ):
        return None
    return f"https://www.linkedin.com/{kind}/{at.segments[1].lower()}"


def _youtube(at: Address) -> str | None:
    kind = at.segments[0].lower()
    if kind in ("channel", "c", "user"):
        known = len(at.segments) > 1 and _NAME.fullmatch(at.segments[1])
        return f"https://www.youtube.com/{kind}/{at.segments[1]}" if known else None
    handle = at.segments[0].removeprefix("@")
    is_channel = handle != at.segments[0] or len(at.segments) == 1
    if not is_channel or not _NAME.fullmatch(handle):
        return None
    return f"https://www.youtube.com/{at.segments[0].lower() if handle != at.segments[0] else at.segments[0]}"


def _at_name(site: str) -> Canonical:
    def url_of(at: Address) -> str | None:
        known = at.segments[0].startswith("@") and _NAME.fullmatch(at.segments[0][1:])
        return f"https://{site}/{at.segments[0].lower()}" if known else None

    return url_of


def _name(site: str, *, fold: bool = True, deep: bool = False) -> Canonical:
    """One segment is the name; with `deep`, what follows it is a part of the profile."""

    def url_of(at: Address) -> str | None:
        if (len(at.segments) > 1 and not deep) or not _NAME.fullmatch(at.segments[0].removeprefix("@")):
            return None
        name = at.segments[0].removeprefix("@")
        return f"https://{site}/{name.lower() if fold else name}"

    return url_of


def _under(site: str, *kinds: str, fold: bool = True) -> Canonical:
    """The name follows one of these words."""

    def url_of(at: Address) -> str | None:
        kind = at.segments[0].lower()
        if kind not in kinds or len(at.segments) < 2 or not _NAME.fullmatch(at.segments[1].removeprefix("@")):
            return None
        return f"https://{site}/{kind}/{at.segments[1].lower() if fold else at.segments[1]}"

    return url_of


def _tiktok(at: Address) -> str | None:
    return _at_name("www.tiktok.com")(at) if len(at.segments) == 1 else None


def _instagram(at: Address) -> str | None:
    whole = len(at.segments) == 1 or (
        len(at.segments) == 2 and at.segments[1].lower() in ("reels", "tagged", "channel")
    )
    name = at.segments[0].removeprefix("@").lower()
    return f"https://www.instagram.com/{name}" if whole and _NAME.fullmatch(name) else None


def _pinterest(at: Address) -> str | None:
    whole = len(at.segments) == 1 or at.segments[1] in ("_created", "_saved", "_profile", "boards", "pins")
    return _name("www.pinterest.com", deep=True)(at) if whole else None


def _vimeo(at: Address) -> str | None:
    # A number is a video.
    return None if at.segments[0].isdecimal() else _name("vimeo.com")(at)


def _whatsapp(at: Address) -> str | None:
    if at.host == "whatsapp.com":
        return _under("www.whatsapp.com", "channel", fold=False)(at)
    if at.segments[0].lower() == "send":
        number = parse_qs(at.query).get("phone", [""])[0]
    elif at.segments[0] == "message" and len(at.segments) == 2 and _NAME.fullmatch(at.segments[1]):
        return f"https://wa.me/message/{at.segments[1]}"
    else:
        number = at.segments[0]
    number = re.sub(r"[^0-9]", "", number.removeprefix("+").removeprefix("00")) if len(number) < 40 else ""
    return f"https://wa.me/{number}" if 8 <= len(number) <= 15 else None


def _tripadvisor(at: Address) -> str | None:
    page = at.segments[0]
    kinds = (
        "Hotel_Review-",
        "Restaurant_Review-",
        "Attraction_Review-",
        "VacationRentalReview-",
        "AttractionProductReview-",
    )
    known = len(at.segments) == 1 and page.startswith(kinds) and re.fullmatch(r"[\w.%-]{1,200}", page)
    return f"https://www.tripadvisor.com/{page}" if known else None


def _discord(at: Address) -> str | None:
    if at.host == "discord.gg":
        code = at.segments[0]
    elif at.segments[0] == "invite" and len(at.segments) > 1:
        code = at.segments[1]
    else:
        return None
    return f"https://discord.gg/{code}" if _NAME.fullmatch(code) else None


def _reddit(at: Address) -> str | None:
    kind = {"u": "user"}.get(at.segments[0].lower(), at.segments[0].lower())
    known = kind in ("r", "user") and len(at.segments) == 2 and _NAME.fullmatch(at.segments[1])
    return f"https://www.reddit.com/{kind}/{at.segments[1].lower()}" if known else None


def _medium(at: Address) -> str | None:
    if at.host != "medium.com":
        return f"https://{at.host}" if re.fullmatch(r"[a-z0-9-]{1,60}\.medium\.com", at.host) else None
    name = at.segments[0].lower()
    return f"https://medium.com/{name}" if len(at.segments) == 1 and _NAME.fullmatch(name.removeprefix("@")) else None


def _line(at: Address) -> str | None:
    path = "/".join(at.segments)
    if at.host == "lin.ee" and len(at.segments) == 1 and _NAME.fullmatch(path):
        return f"https://lin.ee/{path}"
    if at.host in ("line.me", "page.line.me"):
        name = at.segments[-1].removeprefix("@")
        if _NAME.fullmatch(name) and (at.host == "page.line.me" or path.lower().startswith(("r/ti/p/", "ti/p/"))):
            return f"https://line.me/R/ti/p/{at.segments[-1] if at.host == 'line.me' else '@' + name}"
    return None


def _spotify(at: Address) -> str | None:
    kept = at.segments[1:] if at.segments[0].startswith("intl-") else at.segments
    return (
        _under("open.spotify.com", "artist", "user", "show", fold=False)(at._replace(segments=kept)) if kept else None
    )


def _telegram(at: Address) -> str | None:
    # Under /s/ a channel is shown in the browser.
    kept = at.segments[1:] if at.segments[0].lower() == "s" else at.segments
    return _name("t.me")(at._replace(segments=kept)) if kept and not kept[0].startswith("+") else None


def _mastodon(at: Address) -> str | None:
    known = len(at.segments) == 1 and at.segments[0].startswith("@") and _NAME.fullmatch(at.segments[0][1:])
    return f"https://{at.host}/{at.segments[0].lower()}" if known else None


PROFILES: dict[str, Canonical] = {
    "facebook": _facebook,
    "twitter": _twitter,
    "linkedin": _linkedin,
    "instagram": _instagram,
    "youtube": _youtube,
    "tiktok": _tiktok,
    "pinterest": _pinterest,
    "github": _name("github.com"),
    "xing": _under("www.xing.com", "companies", "pages", "profile"),
    "threads": _at_name("www.threads.net"),
    "bluesky": _under("bsky.app", "profile"),
    "mastodon": _mastodon,
    "whatsapp": _whatsapp,
    "telegram": _telegram,
    "vimeo": _vimeo,
    "yelp": _under("www.yelp.com", "biz", fold=False),
    "tripadvisor": _tripadvisor,
    "reddit": _reddit,
    "discord": _discord,
    "twitch": _name("www.twitch.tv"),
    "snapchat": _under("www.snapchat.com", "add"),
    "medium": _medium,
    "vk": _name("vk.com"),
    "line": _line,
    "soundcloud": _name("soundcloud.com"),
    "spotify": _spotify,
}

DOMAINS: dict[str, str] = {
    **dict.fromkeys(("facebook.com", "fb.com", "fb.me"), "facebook"),
    **dict.fromkeys(("twitter.com", "x.com"), "twitter"),
    **dict.fromkeys(("instagram.com", "instagr.am"), "instagram"),
    **dict.fromkeys(("pinterest.com", *(f"pinterest.{ending}" for ending in words("network_country"))), "pinterest"),
    **dict.fromkeys(("yelp.com", *(f"yelp.{ending}" for ending in words("network_country"))), "yelp"),
    **dict.fromkeys(
        ("tripadvisor.com", *(f"tripadvisor.{ending}" for ending in words("network_country")), "tripadvisor.in"),
        "tripadvisor",
    ),
    **dict.fromkeys(("threads.net", "threads.com"), "threads"),
    **dict.fromkeys(("wa.me", "whatsapp.com"), "whatsapp"),
    **dict.fromkeys(("t.me", "telegram.me"), "telegram"),
    **dict.fromkeys(("discord.gg", "discord.com"), "discord"),
    **dict.fromkeys(("vk.com", "vkontakte.ru"), "vk"),
    **dict.fromkeys(("line.me", "lin.ee"), "line"),
    "linkedin.com": "linkedin",
    "youtube.com": "youtube",
    "tiktok.com": "tiktok",
    "github.com": "github",
    "xing.com": "xing",
    "bsky.app": "bluesky",
    "vimeo.com": "vimeo",
    "reddit.com": "reddit",
    "twitch.tv": "twitch",
    "snapchat.com": "snapchat",
    "medium.com": "medium",
    "soundcloud.com": "soundcloud",
    "spotify.com": "spotify",
}
# Servers of the Fediverse by how they are called, and the large ones that are not.
MASTODON_HOST = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:mastodon|mstdn|masto)[a-z0-9-]*\.[a-z0-9.-]+|mastodon\.[a-z.]+|social\.[a-z0-9.-]+|[a-z0-9-]+\.social|"
    r"fosstodon\.org|chaos\.social|hachyderm\.io|troet\.cafe|norden\.social|mas\.to|infosec\.exchange|bonn\.social|det\.social|"
    r"nrw\.social|toot\.[a-z]+|fediscience\.org|pawoo\.net|openbiblio\.social|freiburg\.social"
)
