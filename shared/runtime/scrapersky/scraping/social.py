"""Profiles on social networks: which links are somebody's profile, in one spelling, and which is the site's own."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from scrapersky.scraping.email_classes import owner_name
from scrapersky.scraping.networks import (
    DOMAINS,
    MASTODON_HOST,
    PROFILES,
    Address,
    handle_of,
    is_nobody,
    is_own_page,
)
from scrapersky.scraping.words import words

_HOST = re.compile(r"(?:https?:)?//(?:[^/?#@\s]{0,64}@)?([a-z0-9.-]{4,80})(?=[:/?#]|$)", re.IGNORECASE)
# Where a network, a mail program or a search engine leads out through an address of its own.
_WRAPPERS = {"l.facebook.com": "u", "lm.facebook.com": "u", "l.instagram.com": "u", "www.google.com": "q"}
_NOT_A_NAME = re.compile(r"[^a-z0-9]")
_LEAST_LIKENESS = 4

# What speaks for a profile being the site's own. The figures only order what is found on one site.
_LIKE_NAME, _DECLARED, _IN_FRAME, _ICON = 6, 5, 3, 2
_MOST_COUNTED = 3
_PERSON = -4
# One mention in a text is less.
_LEAST_SCORE = 2


class Profile(NamedTuple):
    """A link to a profile: `declared` by structured data, in the page's frame (header, footer), or as an icon."""

    network: str
    url: str
    declared: bool
    in_frame: bool
    icon: bool


def profile(href: str) -> tuple[str, str] | None:
    """(network, canonical profile URL) of a link to a profile on one of the networks, else None."""
    href = href.strip()
    match = _HOST.match(href)
    if match is None:
        return None
    host = match[1].lower().removeprefix("www.")
    network = _network(host)
    if network is None and "@" not in href and match[1].lower() not in _WRAPPERS:
        return None
    try:
        parts = urlsplit(href)
    except ValueError:  # e.g. a bracketed host
        return None
    if match[1].lower() in _WRAPPERS:
        return _unwrapped(match[1].lower(), parts)
    segments = [unquote(segment) for segment in parts.path.split("/") if segment][:6]
    if network is None:
        network = "mastodon" if segments and MASTODON_HOST.fullmatch(host) else None
    if network is None:
        return None
    if not segments and parts.fragment.startswith("!/"):  # how Twitter wrote addresses in 2011
        segments = [segment for segment in parts.fragment[2:].split("/") if segment][:6]
    if not segments:
        url = PROFILES["medium"](Address([""], host, "")) if network == "medium" and host != "medium.com" else None
        return (network, url) if url else None
    if is_own_page(network, segments[0]):
        return None
    url = PROFILES[network](Address(segments, host, parts.query))
    return (network, url) if url else None


def profile_of_widget(url: str) -> tuple[str, str] | None:
    """The page that Facebook's page plugin shows (Meta for Developers, "Page Plugin": `href`)."""
    if "facebook.com/plugins/page.php" not in url and "facebook.com/plugins/likebox.php" not in url:
        return None
    return profile(next(iter(parse_qs(url.partition("?")[2]).get("href", [])), ""))


def choose(profiles: Iterable[Profile], *, domain: str, names: Iterable[str] = ()) -> dict[str, str]:
    """One profile for each network: the one that most speaks for being of the site under `domain`, of equals the first.

    `names` are what the site calls itself. What a text only mentions is nobody's profile here, nor is a template's.
    """
    own = _own_names(domain, names)
    seen: dict[str, _Evidence] = {}
    for found in profiles:
        if is_nobody(found.url) and handle_of(found.url) not in owner_name(domain):
            continue
        # X answers under both of its names.
        known = seen.setdefault(found.url.replace("https://x.com/", "https://twitter.com/"), _Evidence(found))
        known.count += 1
        known.strength = max(known.strength, _strength(found))
    persons = Counter(known.profile.network for known in seen.values() if known.is_person)
    chosen: dict[str, tuple[int, str]] = {}
    for known in seen.values():
        network, url = known.profile.network, known.profile.url
        likeness = _LIKE_NAME if _is_like(url, own) else 0
        score = known.strength + likeness + min(known.count, _MOST_COUNTED)
        # A team's page links to each of its people; a company of one has its owner's profile.
        if score < _LEAST_SCORE or (known.is_person and persons[network] > 1 and score < _LIKE_NAME):
            continue
        score += _PERSON if known.is_person else 0
        if network not in chosen or score > chosen[network][0]:
            chosen[network] = (score, url)
    return {network: url for network, (_, url) in chosen.items()}


@dataclass(slots=True)
class _Evidence:
    """What is known of one profile: how it was first linked, how often, and how much its best link says."""

    profile: Profile
    count: int = 0
    strength: int = 0

    @property
    def is_person(self) -> bool:
        return "linkedin.com/in/" in self.profile.url or "xing.com/profile/" in self.profile.url


def _strength(found: Profile) -> int:
    return _DECLARED * found.declared + _IN_FRAME * found.in_frame + _ICON * found.icon


def _network(host: str) -> str | None:
    """The network that answers under a host without `www.`: its domain, or a host below that is none of its others."""
    if host in DOMAINS:
        return DOMAINS[host]
    first, _, rest = host.partition(".")
    if host in ("api.whatsapp.com", "web.whatsapp.com", "page.line.me", "open.spotify.com"):
        return DOMAINS[rest]
    return DOMAINS.get(rest) if first not in words("other_host") and first else None


def _unwrapped(host: str, parts: SplitResult) -> tuple[str, str] | None:
    target = next(iter(parse_qs(parts.query).get(_WRAPPERS[host], [])), "")
    match = _HOST.match(target)
    # Not a wrapper in a wrapper, without end.
    return profile(target) if match and match[1].lower() not in _WRAPPERS else None


def _own_names(domain: str, names: Iterable[str]) -> list[str]:
    """What a profile's name is compared with: the domain's, its longer parts, and what the site calls itself."""
    label = owner_name(domain)
    found = [label, *label.split("-"), *names]
    plain = [_NOT_A_NAME.sub("", name.lower()) for name in found]
    return list(dict.fromkeys(name for name in plain if len(name) >= _LEAST_LIKENESS))


def _is_like(url: str, own: list[str]) -> bool:
    handle = _NOT_A_NAME.sub("", handle_of(url))
    return len(handle) >= _LEAST_LIKENESS and any(name in handle or handle in name for name in own)
