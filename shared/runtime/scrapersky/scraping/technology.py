"""Which software a page was made with, each with what gave it away. Words in a page's text are no evidence.

The signatures are data: `technologies.toml` beside this module.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from scrapersky.domain.facts import Technology
from scrapersky.scraping.gathered import Asset
from scrapersky.scraping.page import PageFacts

# Long enough to recognise the place by; bounds a row.
MAX_EVIDENCE_CHARS = 200
# A page that lists plugins in its assets without end is made up.
MAX_WORDPRESS_FOLDERS = 100

_WORDPRESS_PATH = re.compile(r"/wp-(?:(includes|content/uploads)/|content/(plugins|themes)/([A-Za-z0-9][\w.-]{0,79})/)")
_WORDPRESS = "WordPress"
_WORDPRESS_FOLDERS = {"plugins": "WordPress plugin", "themes": "WordPress theme"}  # folder -> category


@dataclass(frozen=True, slots=True)
class Signature:
    """What one piece of software shows of itself; the fields are those of `technologies.toml`."""

    name: str
    category: str
    generator: re.Pattern[str] | None = None
    header: dict[str, re.Pattern[str]] = field(default_factory=dict)
    asset: tuple[str, ...] = ()
    asset_version: re.Pattern[str] | None = None
    wp_plugin: tuple[str, ...] = ()
    wp_theme: tuple[str, ...] = ()
    comment: re.Pattern[str] | None = None
    link: tuple[str, ...] = ()
    class_: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    script_version: re.Pattern[str] | None = None
    implies: tuple[str, ...] = ()


@cache
def signatures() -> tuple[Signature, ...]:
    """The table, read once and at first use."""
    text = files(__package__).joinpath("technologies.toml").read_text(encoding="utf-8")
    return tuple(_signature(entry) for entry in tomllib.loads(text)["technology"])


def find_technologies(page: PageFacts, headers: Mapping[str, str]) -> tuple[Technology, ...]:
    """Everything that the page and its response headers (lower-case keys) give away, in the table's order.

    WordPress plugins and themes that the table does not know follow under their folder's name, without a version.
    """
    seen = _Seen(page, headers)
    found: dict[str, Technology] = {}
    for signature in signatures():
        clues = list(seen.clues(signature))
        if clues:
            evidence, version = next((clue for clue in clues if clue[1]), clues[0])
            found[signature.name] = Technology(signature.name, signature.category, version, evidence)
    for signature in signatures():
        if signature.name in found:
            _add_implied(found, signature)
    if seen.wordpress_paths and _WORDPRESS not in found:
        evidence = _evidence("asset", next(iter(seen.wordpress_paths.values())))
        found[_WORDPRESS] = Technology(_WORDPRESS, "CMS", None, evidence)
    known = {("plugins", name) for s in signatures() for name in s.wp_plugin}
    known |= {("themes", name) for s in signatures() for name in s.wp_theme}
    for (kind, name), url in seen.wordpress_paths.items():
        if name and (kind, name) not in known:
            found.setdefault(name, Technology(name, _WORDPRESS_FOLDERS[kind], None, _evidence("asset", url)))
    return tuple(found.values())


def wordpress_theme(page: PageFacts) -> str | None:
    """The folder of the theme that the page's own assets come from; of parent and child theme, the one named first."""
    return next((name for kind, name in wordpress_paths(page) if kind == "themes"), None)


def wordpress_paths(page: PageFacts) -> dict[tuple[str, str], str]:
    """(`plugins`, `themes`, `includes` or `content/uploads`; folder or "") -> the first asset's URL that shows it.

    A script can be the widget of somebody else's site and an image can be hot-linked: these count from the page's
    own host and its subdomains only. A stylesheet is the page's own wherever it is hosted.
    """
    found: dict[tuple[str, str], str] = {}
    host = _bare_host(page.url)
    for asset in page.assets:
        if match := _WORDPRESS_PATH.search(asset.url):
            folder = match[1] or match[2], match[3] or ""
            # Whose an asset is takes longest to tell, and most assets are of a folder that is known already.
            if folder not in found and len(found) < MAX_WORDPRESS_FOLDERS and _is_own(asset, host):
                found[folder] = asset.url
    return found


class _Seen:
    """One page, laid out so that each signature is a few substring searches."""

    def __init__(self, page: PageFacts, headers: Mapping[str, str]) -> None:
        self.page = page
        self.headers = headers
        self.code = [asset.url for asset in page.assets if asset.kind in ("script", "stylesheet")]
        self.code_urls = "\n".join(self.code)
        self.links = "\n".join(f"{rel} {href}" for rel, href in page.head_links)
        self.wordpress_paths = wordpress_paths(page)

    def clues(self, signature: Signature) -> Iterator[tuple[str, str | None]]:
        """(evidence, version or None) of each thing that the signature names."""
        for text in self.page.generators:
            yield from _matches("generator", signature.generator, text)
        for name, pattern in signature.header.items():
            yield from _matches(f"header {name}", pattern, self.headers.get(name, ""))
        yield from self._asset_clues(signature)
        for text in self.page.comments:
            yield from _matches("comment", signature.comment, text.strip())
        for clue in signature.link:
            if clue in self.links:
                yield _evidence("link", clue), None
        for name in signature.class_:
            if name in self.page.classes:
                yield _evidence("class", name), None
        for clue in signature.script:
            if clue in self.page.scripts:
                version = signature.script_version and signature.script_version.search(self.page.scripts)
                yield _evidence("script", version[0] if version else clue), version[1] if version else None

    def _asset_clues(self, signature: Signature) -> Iterator[tuple[str, str | None]]:
        urls = [next(url for url in self.code if clue in url) for clue in signature.asset if clue in self.code_urls]
        for kind, names in (("plugins", signature.wp_plugin), ("themes", signature.wp_theme)):
            urls += [self.wordpress_paths[kind, name] for name in names if (kind, name) in self.wordpress_paths]
        if urls and signature.asset_version:
            for url in self.code:
                if match := signature.asset_version.search(url):
                    yield _evidence("asset", url), match[1]
        yield from ((_evidence("asset", url), None) for url in urls)


def _signature(entry: dict[str, Any]) -> Signature:
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key in ("generator", "comment", "asset_version", "script_version"):
            values[key] = re.compile(value, re.IGNORECASE)
        elif key == "header":
            values[key] = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in value.items()}
        else:
            values["class_" if key == "class" else key] = tuple(value) if isinstance(value, list) else value
    return Signature(**values)


def _matches(method: str, pattern: re.Pattern[str] | None, text: str) -> Iterator[tuple[str, str | None]]:
    match = pattern.search(text) if pattern and text else None
    if match:
        yield _evidence(method, text), match[1] if match.re.groups else None


def _add_implied(found: dict[str, Technology], signature: Signature) -> None:
    for name in signature.implies:
        if name not in found:
            category = next(known.category for known in signatures() if known.name == name)
            found[name] = Technology(name, category, None, f"implied by {signature.name}")


def _evidence(method: str, text: str) -> str:
    return f"{method}: {text}"[:MAX_EVIDENCE_CHARS]


def _is_own(asset: Asset, host: str) -> bool:
    if asset.kind == "stylesheet":
        return True
    other = _bare_host(asset.url)
    return not other or other == host or other.endswith("." + host) or host.endswith("." + other)


def _bare_host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # e.g. a bracketed host that is no IPv6 address
        return "invalid."
