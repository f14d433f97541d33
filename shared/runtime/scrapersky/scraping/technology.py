"""Which software a page was made with, each with what gave it away. Words in a page's text are no evidence.

What gives software away is data: `technologies.toml`, read by `signatures`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from scrapersky.domain.facts import Technology
from scrapersky.scraping import wordpress
from scrapersky.scraping.own_code import own_code
from scrapersky.scraping.page import PageFacts
from scrapersky.scraping.signatures import Signature, compiled, table, version_in

# Long enough to recognise the place by; bounds a row.
MAX_EVIDENCE_CHARS: Final = 200
# Hosts that a page loads from: tag managers bring some dozens, and the rest is generated.
MAX_HOSTS: Final = 500
# Where inline loaders stand is the first part of a page's scripts; the rest is data of the page's application.
MAX_LOADER_CHARS: Final = 256 * 1024

_WORDPRESS: Final = "WordPress"
_WORDPRESS_FOLDERS: Final = {"plugins": "WordPress plugin", "themes": "WordPress theme"}  # folder -> category
_MADE_WITH: Final = frozenset({"website builder", "e-commerce"})
_LOADED = re.compile(r"//([A-Za-z0-9.-]{4,80})(/[\w./-]{0,80})?")

Clue = tuple[Signature, str, str, str | None]
"""A signature, the method and text of its evidence, and the version that the evidence shows."""


def find_technologies(
    page: PageFacts,
    headers: Mapping[str, str],
    set_cookies: Iterable[str] = (),
    wordpress_paths: wordpress.Paths | None = None,
) -> tuple[Technology, ...]:
    """Everything that the page and its response give away, in the table's order.

    `headers` have lower-case keys; `set_cookies` are the names of the cookies that the response sets. `wordpress_paths`
    are those of the page, if they are known. WordPress plugins and themes that the table does not know follow under
    their folder's name, without a version.
    """
    seen = _Seen(page, wordpress.paths(page) if wordpress_paths is None else wordpress_paths)
    found: dict[str, Technology] = {}
    for signature, method, text, version in chain(_of_response(headers, set_cookies), seen.clues()):
        known = found.get(signature.name)
        if known is None or (version and not known.version):
            found[signature.name] = _technology(signature, version, f"{method}: {text}", page.url)
    for signature in [table().by_name[name] for name in found]:
        _add_implied(found, signature, page.url)
    if seen.wordpress_paths and _WORDPRESS not in found:
        evidence = f"asset: {next(iter(seen.wordpress_paths.values()))}"
        found[_WORDPRESS] = _technology(table().by_name[_WORDPRESS], None, evidence, page.url)
    ordered = {name: found[name] for name in sorted(found, key=table().places.__getitem__)}
    for (kind, folder), url in seen.wordpress_paths.items():
        if folder and (kind, folder) not in table().folders:
            evidence = f"asset: {url}"[:MAX_EVIDENCE_CHARS]
            ordered.setdefault(folder, Technology(folder, _WORDPRESS_FOLDERS[kind], None, evidence, page.url))
    return tuple(ordered.values())


def merge(per_page: Iterable[Iterable[Technology]]) -> tuple[Technology, ...]:
    """What the pages of one site show together: each once, with the most specific version and where that was seen."""
    found: dict[str, Technology] = {}
    for technology in chain.from_iterable(per_page):
        known = found.get(technology.name)
        if known is None or _is_better(technology, known):
            found[technology.name] = technology
    return tuple(found.values())


class _Seen:
    """One page, laid out so that each kind of sign is a few look-ups or substring searches."""

    def __init__(self, page: PageFacts, wordpress_paths: wordpress.Paths) -> None:
        self.page = page
        self.wordpress_paths = wordpress_paths
        self.code = [asset.url for asset in page.assets if asset.kind in ("script", "stylesheet")]
        self.code_urls = "\n".join(self.code)

    def clues(self) -> Iterator[Clue]:
        yield from self._of_head()
        yield from self._of_assets()
        yield from self._of_markup()
        yield from self._of_scripts()

    def _of_head(self) -> Iterator[Clue]:
        for text in self.page.generators:
            for pattern, signature in table().generators:
                if match := compiled(pattern).search(text):
                    yield signature, "generator", text, _version(match)
        for name, pattern, signature in table().metas:
            content = self.page.metas.get(name)
            if content is not None and (match := compiled(pattern).search(content)):
                yield signature, f"meta {name}", content, _version(match)
        links = "\n".join(f"{rel} {href}" for rel, href in self.page.head_links)
        for piece, signature in table().links:
            if piece in links:
                yield signature, "link", piece, None

    def _of_assets(self) -> Iterator[Clue]:
        signs = chain(self._of_own_code(), self._of_files(), self._of_folders(), self._of_hosts())
        seen: set[str] = set()
        for signature, url in signs:
            if signature.version and signature.name not in seen:
                seen.add(signature.name)
                if found := version_in(signature.version, self.code_urls):
                    evidence = next((address for address in self.code if found[0] in address), found[0])
                    yield signature, "asset", evidence, found[1]
            yield signature, "asset", url, None

    def _of_own_code(self) -> Iterator[tuple[Signature, str]]:
        own = own_code(self.page)
        for piece, signature in table().paths.found_in("\n".join(own)):
            yield signature, next(url for url in own if piece in url)

    def _of_files(self) -> Iterator[tuple[Signature, str]]:
        for piece, signature in table().files.found_in(self.code_urls):
            yield signature, next(url for url in self.code if piece in url)

    def _of_folders(self) -> Iterator[tuple[Signature, str]]:
        for folder, url in self.wordpress_paths.items():
            if folder in table().folders:
                yield table().folders[folder], url

    def _of_hosts(self) -> Iterator[tuple[Signature, str]]:
        """What the page loads from, and sends its forms to, at other sites."""
        known: set[tuple[str, str, bool]] = set()
        places = [(asset.url, asset.kind in ("script", "stylesheet")) for asset in self.page.assets]
        for url, is_code in chain(places, ((action, False) for action in self.page.form_actions)):
            # Most are of the site itself, and written without a host.
            match = _LOADED.search(url, 0, 300) if "//" in url[:10] else None
            if match and match.start() < 8 and len(known) < MAX_HOSTS:
                place = match[1].lower(), match[2] or "/", is_code
                if place not in known:
                    known.add(place)
                    for signature in table().of_host(*place[:2]):
                        # A partner's picture or frame comes from the partner's builder, code from the page's own.
                        if is_code or signature.category not in _MADE_WITH:
                            yield signature, url

    def _of_markup(self) -> Iterator[Clue]:
        page = self.page
        comments = "\n".join(page.comments)
        for piece, signature in table().comments:
            if piece in comments:
                text = next(text for text in page.comments if piece in text).strip()
                found = version_in(signature.comment_version, comments)
                yield signature, "comment", text, found[1] if found else None
        classes = sorted(page.classes)  # a set's own order is another in each process, and with it the evidence
        for name in classes:
            for signature in table().classes.of(name):
                versions = (version_in(signature.class_version, other) for other in classes)
                yield signature, "class", name, next((found[1] for found in versions if found), None)
        for name in sorted(page.body_ids):
            yield from ((signature, "id", name, None) for signature in table().ids.of(name))
        for name, value in page.marks.items():
            for signature in table().attributes.of(name):
                is_version = name == signature.attribute_version and value[:1].isdigit()
                yield signature, "attribute", f"{name}={value}" if value else name, value if is_version else None
        hrefs = "\n".join(link.href for link in page.links)
        for piece, signature in table().anchors:
            if piece in hrefs:
                yield signature, "link", next(link.href for link in page.links if piece in link.href), None

    def _of_scripts(self) -> Iterator[Clue]:
        for scripts in (self.page.scripts, self.page.data_blocks):
            for piece, signature in table().scripts.found_in(scripts):
                found = version_in(signature.script_version, scripts)
                yield signature, "script", found[0] if found else piece, found[1] if found else None
        # An address in a data block is somebody's text as likely as something to load.
        loaders = self.page.scripts[:MAX_LOADER_CHARS]
        if "\\/\\/" in loaders:  # as JSON writes it
            loaders = loaders.replace("\\/", "/")
        places = dict.fromkeys(_LOADED.findall(loaders)[: 10 * MAX_HOSTS])
        for host, path in places:
            for signature in table().of_host(host.lower(), path or "/"):
                yield signature, "script", f"//{host}{path}", None


def _of_response(headers: Mapping[str, str], set_cookies: Iterable[str]) -> Iterator[Clue]:
    for name, value in headers.items():
        for pattern, signature in table().headers.get(name, ()):
            if match := compiled(pattern).search(value[:4_000]):
                yield signature, f"header {name}", value, _version(match)
    for name in set_cookies:
        yield from ((signature, "cookie", name, None) for signature in table().cookies.of(name))


def _version(match: re.Match[str]) -> str | None:
    return next((group for group in match.groups() if group), None)


def _technology(signature: Signature, version: str | None, evidence: str, page_url: str) -> Technology:
    return Technology(signature.name, signature.category, version, evidence[:MAX_EVIDENCE_CHARS], page_url)


def _add_implied(found: dict[str, Technology], signature: Signature, page_url: str) -> None:
    for name in signature.implies:
        if name not in found:
            implied = table().by_name[name]
            found[name] = _technology(implied, None, f"implied by {signature.name}", page_url)
            _add_implied(found, implied, page_url)


def _is_better(new: Technology, known: Technology) -> bool:
    """A version over none, one with more parts over one with fewer; what was seen over what is only implied."""
    if (new.version or known.version) and new.version != known.version:
        return _parts(new.version) > _parts(known.version)
    return known.evidence.startswith("implied by ") and not new.evidence.startswith("implied by ")


def _parts(version: str | None) -> int:
    return len(version.split(".")) if version else 0
