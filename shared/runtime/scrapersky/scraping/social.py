"""Profiles on social networks: which links are somebody's profile, in one spelling for each. Share buttons are not."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_NETWORK_HOST = re.compile(
    r"(?:https?:)?//(?:[a-z0-9-]{1,20}\.){0,2}"
    r"(?:(facebook|fb|twitter|x|linkedin|instagram|youtube|tiktok|pinterest|github)\.[a-z.]{2,6})(?=[/?#:]|$)",
    re.IGNORECASE,
)
_NETWORKS = {"fb": "facebook", "x": "twitter"}
_HOSTS = {
    "facebook": re.compile(r"(?:[a-z0-9-]+\.)?facebook\.com|(?:www\.)?fb\.com"),
    "twitter": re.compile(r"(?:www\.|mobile\.)?(?:twitter|x)\.com"),
    "linkedin": re.compile(r"(?:[a-z]{2,3}\.)?linkedin\.com"),
    "instagram": re.compile(r"(?:www\.)?instagram\.com"),
    "youtube": re.compile(r"(?:www\.|m\.)?youtube\.com"),
    "tiktok": re.compile(r"(?:www\.|m\.)?tiktok\.com"),
    "pinterest": re.compile(r"(?:[a-z]{2,3}\.)?pinterest\.(?:com|de|fr|it|es|at|ch|ca|ie|pt|se|nz|jp|co\.uk|com\.au)"),
    "github": re.compile(r"(?:www\.)?github\.com"),
}
_NAME = re.compile(r"[\w.%+-]{1,100}")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")  # X Help Center: letters, digits and _, up to 15

# First path segments that are the network's own pages, share dialogs and widgets, or single posts.
_OWN_PAGES = {
    "facebook": "2008 ads business dialog events gaming groups hashtag help home.php l.php legal login login.php "
    "marketplace media messages permalink.php photo photo.php photos plugins policies policy.php privacy reel "
    "settings share share.php sharer sharer.php story.php tr v2.0 watch",
    "twitter": "compose download explore hashtag home i intent jobs login messages notifications oauth privacy "
    "search settings share signup tos widgets",
    "instagram": "about accounts developer directory explore legal p privacy reel reels stories tv web",
    "youtube": "about account ads api attribution_link channel_switcher embed feed gaming hashtag howyoutubeworks "
    "iframe_api live live_chat music oembed player_api playlist post premium redirect results s shorts "
    "subscription_center t upload v watch yt",
    "pinterest": "_ about business categories discover explore help ideas login pin resource search settings today "
    "videos",
    "github": "about apps blog collections contact customer-stories enterprise explore features issues join login "
    "marketplace new notifications organizations orgs pricing pulls search security settings signup site sponsors "
    "stars team topics trending users",
}
_NOT_PROFILES = {network: frozenset(words.split()) for network, words in _OWN_PAGES.items()}


def profile(href: str) -> tuple[str, str] | None:
    """(network, canonical profile URL) of a link to a profile on one of the networks, else None."""
    match = _NETWORK_HOST.match(href.strip())
    if match is None:
        return None
    network = _NETWORKS.get(match[1].lower(), match[1].lower())
    try:
        parts = urlsplit(href.strip())
        host = parts.hostname or ""
    except ValueError:  # e.g. a bracketed host
        return None
    if not _HOSTS[network].fullmatch(host):
        return None
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    if not segments or segments[0].lower() in _NOT_PROFILES.get(network, ()):
        return None
    url = _PROFILES[network](segments, parts)
    return (network, url) if url else None


def choose(profiles: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One profile for each network: the most linked, of equals the first. A company's page precedes a person's."""
    counts = Counter(profiles)
    chosen: dict[str, str] = {}
    for (network, url), _ in sorted(counts.items(), key=lambda item: ("/in/" in item[0][1], -item[1])):
        chosen.setdefault(network, url)
    return chosen


def _facebook(segments: list[str], parts: SplitResult) -> str | None:
    if segments[0].lower() == "profile.php":
        number = parse_qs(parts.query).get("id", [""])[0]
        return f"https://www.facebook.com/profile.php?id={number}" if number.isdecimal() else None
    if segments[0].lower() in ("pages", "people", "p", "pg"):
        kept = segments[: 2 if segments[0].lower() in ("p", "pg") else 3]
        whole = len(kept) > 1 and all(_NAME.fullmatch(segment) for segment in kept)
        return "https://www.facebook.com/" + "/".join(kept) if whole else None
    known = len(segments) == 1 and _NAME.fullmatch(segments[0])
    return f"https://www.facebook.com/{segments[0]}" if known else None


def _twitter(segments: list[str], parts: SplitResult) -> str | None:
    host = "x.com" if (parts.hostname or "").endswith("x.com") else "twitter.com"
    name = segments[0].removeprefix("@")
    return f"https://{host}/{name}" if len(segments) == 1 and _HANDLE.fullmatch(name) else None


def _linkedin(segments: list[str], _: SplitResult) -> str | None:
    kind = segments[0].lower()
    if kind not in ("company", "school", "showcase", "in") or len(segments) < 2 or not _NAME.fullmatch(segments[1]):
        return None
    return f"https://www.linkedin.com/{kind}/{segments[1]}"


def _youtube(segments: list[str], _: SplitResult) -> str | None:
    if segments[0].lower() in ("channel", "c", "user"):
        known = len(segments) > 1 and _NAME.fullmatch(segments[1])
        return f"https://www.youtube.com/{segments[0].lower()}/{segments[1]}" if known else None
    handle = segments[0].removeprefix("@")
    is_channel = handle != segments[0] or len(segments) == 1
    return f"https://www.youtube.com/{segments[0]}" if is_channel and _NAME.fullmatch(handle) else None


def _tiktok(segments: list[str], _: SplitResult) -> str | None:
    known = len(segments) == 1 and segments[0].startswith("@") and _NAME.fullmatch(segments[0][1:])
    return f"https://www.tiktok.com/{segments[0]}" if known else None


def _one_segment(site: str) -> Callable[[list[str], SplitResult], str | None]:
    def url_of(segments: list[str], _: SplitResult) -> str | None:
        return f"https://{site}/{segments[0]}" if len(segments) == 1 and _NAME.fullmatch(segments[0]) else None

    return url_of


_PROFILES: dict[str, Callable[[list[str], SplitResult], str | None]] = {
    "facebook": _facebook,
    "twitter": _twitter,
    "linkedin": _linkedin,
    "instagram": _one_segment("www.instagram.com"),
    "youtube": _youtube,
    "tiktok": _tiktok,
    "pinterest": _one_segment("www.pinterest.com"),
    "github": _one_segment("github.com"),
}
