"""The table of what software shows of itself, `technologies.toml`, laid out for looking things up in a page."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

from scrapersky.scraping.pieces import Pieces

_PLUGIN_CATEGORY: Final = "WordPress plugin"
_THEME_CATEGORY: Final = "WordPress theme"


@dataclass(frozen=True, slots=True)
class Signature:
    """What one piece of software shows; the fields are those of `technologies.toml`, patterns as written."""

    name: str
    category: str
    generator: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)
    cookie: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    version: str | None = None
    wp_plugin: tuple[str, ...] = ()
    wp_theme: tuple[str, ...] = ()
    comment: tuple[str, ...] = ()
    comment_version: str | None = None
    link: tuple[str, ...] = ()
    class_: tuple[str, ...] = ()
    class_version: str | None = None
    id: tuple[str, ...] = ()
    attribute: tuple[str, ...] = ()
    attribute_version: str | None = None
    script: tuple[str, ...] = ()
    script_version: str | None = None
    anchor: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()


class Names:
    """Exact names and beginnings (`x*`) that stand for signatures."""

    def __init__(self, entries: Iterable[tuple[str, Signature]]) -> None:
        self._exact: dict[str, list[Signature]] = {}
        self._beginnings: list[tuple[str, Signature]] = []
        for name, signature in entries:
            if name.endswith("*"):
                self._beginnings.append((name[:-1], signature))
            else:
                self._exact.setdefault(name, []).append(signature)

    def of(self, name: str) -> Iterator[Signature]:
        yield from self._exact.get(name, ())
        for beginning, signature in self._beginnings:
            if name.startswith(beginning):
                yield signature


class Table:
    """All signatures, by what is looked for."""

    def __init__(self, signatures: tuple[Signature, ...]) -> None:
        self.signatures = signatures
        self.by_name = {signature.name: signature for signature in signatures}
        self.places = {signature.name: place for place, signature in enumerate(signatures)}
        self.generators = [(s.generator, s) for s in signatures if s.generator]
        self.metas = [(name, pattern, s) for s in signatures for name, pattern in s.meta.items()]
        self.headers: dict[str, list[tuple[str, Signature]]] = {}
        for s in signatures:
            for name, pattern in s.header.items():
                self.headers.setdefault(name, []).append((pattern, s))
        self.hosts: dict[str, list[tuple[str, Signature]]] = {}
        for s in signatures:
            for entry in s.host:
                host, slash, path = entry.partition("/")
                self.hosts.setdefault(host, []).append((slash + path, s))
        self.cookies = Names((name, s) for s in signatures for name in s.cookie)
        self.attributes = Names((name, s) for s in signatures for name in s.attribute)
        self.classes = Names((name, s) for s in signatures for name in s.class_)
        self.ids = Names((name, s) for s in signatures for name in s.id)
        self.folders: dict[tuple[str, str], Signature] = {
            **{("plugins", name): s for s in signatures for name in s.wp_plugin},
            **{("themes", name): s for s in signatures for name in s.wp_theme},
        }

    @cached_property
    def paths(self) -> Pieces[Signature]:
        return Pieces((piece, s) for s in self.signatures for piece in s.path)

    @cached_property
    def files(self) -> Pieces[Signature]:
        return Pieces((piece, s) for s in self.signatures for piece in s.file)

    @cached_property
    def comments(self) -> list[tuple[str, Signature]]:
        return [(piece, s) for s in self.signatures for piece in s.comment]

    @cached_property
    def links(self) -> list[tuple[str, Signature]]:
        return [(piece, s) for s in self.signatures for piece in s.link]

    @cached_property
    def scripts(self) -> Pieces[Signature]:
        return Pieces((piece, s) for s in self.signatures for piece in s.script)

    @cached_property
    def anchors(self) -> list[tuple[str, Signature]]:
        return [(piece, s) for s in self.signatures for piece in s.anchor]

    def of_host(self, host: str, path: str) -> Iterator[Signature]:
        """What is served under `host`, or a host above it, at paths that begin like `path`."""
        name = host
        while name:
            for beginning, signature in self.hosts.get(name, ()):
                if path.startswith(beginning):
                    yield signature
            name = name.partition(".")[2]


@cache
def table() -> Table:
    """The table, read once and at first use."""
    document = tomllib.loads(files(__package__).joinpath("technologies.toml").read_text(encoding="utf-8"))
    return Table(
        (
            *(_signature(entry) for entry in document["technology"]),
            *(_plugin(folder, *entry) for folder, entry in document["wordpress_plugin"].items()),
            *(_theme(folder, entry) for folder, entry in document["wordpress_theme"].items()),
        )
    )


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the table. Compiled when a page first asks for it: most never do."""
    return re.compile(pattern, re.IGNORECASE)


def version_in(pattern: str | None, text: str) -> tuple[str, str] | None:
    """(what matched, the version) of the first match that has one."""
    if pattern:
        for match in compiled(pattern).finditer(text):
            if version := next((group for group in match.groups() if group), None):
                return match[0], version
    return None


def _signature(entry: dict[str, Any]) -> Signature:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    if "class" in values:
        values["class_"] = values.pop("class")
    return Signature(**values)


def _plugin(folder: str, name: str, category: str, files_of_its_own: str) -> Signature:
    version = _version_pattern("plugins", folder, files_of_its_own)
    return Signature(name, category or _PLUGIN_CATEGORY, wp_plugin=(folder,), version=version, implies=("WordPress",))


def _theme(folder: str, files_of_its_own: str) -> Signature:
    version = _version_pattern("themes", folder, files_of_its_own)
    return Signature(folder, _THEME_CATEGORY, wp_theme=(folder,), version=version, implies=("WordPress",))


def _version_pattern(kind: str, folder: str, files_of_its_own: str) -> str | None:
    if not files_of_its_own:
        return None
    return rf"/{kind}/{re.escape(folder)}/{files_of_its_own}[\w./-]*\?ver=(\d+(?:\.\d+)+)"
