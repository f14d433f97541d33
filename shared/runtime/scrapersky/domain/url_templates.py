"""How a site's addresses are built: many URLs in, the few path templates that they follow out.

rule          what a segment of a path becomes
number        `4711`, `007` -> {id}
year          1990 to 2099 -> {year}, unless more other numbers end there; below it {month} and {day}
date          `2026-03-02`, `2026-03`, `20260302` -> {date}
uuid          the form of RFC 9562 -> {uuid}
hash          8 hexadecimal digits or more, 16 letters and digits of a key or more -> {hash}
numbered      letters and a number, `page-7`, `p4711` -> page-{id}, p{id}
language      the first of a path, when the site has two or more language codes there -> {lang}
slug          the last of a path, of three words or more joined by - or _ -> {slug}
many          more than 20 different names at one place -> {slug}; what stands out among them keeps its name
deep          what comes after the eighth segment -> {/rest*}
query         the names of its parameters, sorted -> {?page,q} (form-style expansion, RFC 6570, 3.2.8)

A file's extension stays (`{slug}.html`), and so does a slash at the end. The host is left out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median_low
from typing import Final

MAX_SEGMENTS: Final = 8
"""Of a path that are looked at. No site is built deeper, and what loops does not end."""

MAX_NAMES: Final = 20
"""Different names at one place that are each told: a menu has fewer, a catalogue more."""

STANDS_OUT: Final = 10
"""Times the URLs of the name in the middle: `blog` with its 500 posts beside a hundred single pages is no slug."""

MAX_PARAMETERS: Final = 6
"""Of a query that are told by name; more are no page's address but a search's."""

_YEAR = re.compile(r"(?:199\d|20\d\d)")
_MONTH = re.compile(r"(?:0?[1-9]|1[0-2])")
_DAY = re.compile(r"(?:0?[1-9]|[12]\d|3[01])")
_NUMBER = re.compile(r"[0-9]+")
_DATE = re.compile(
    r"(?:199\d|20\d\d)(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEX = re.compile(r"(?=.*[0-9])(?=.*[A-Fa-f])[0-9A-Fa-f]{8,}")
_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[0-9A-Za-z]{16,}")
_NUMBERED = re.compile(r"([A-Za-z]{1,20}[-_.]?)[0-9]+")
_SLUG = re.compile(r"[^-_]+(?:[-_]+[^-_]+){2,}")
_EXTENSION = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}$")
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_][A-Za-z]{2,4})?")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,30}")

# ISO 639-1.
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en
eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv
ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne
ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st
su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_LANGUAGES = frozenset(_CODES.split())


@dataclass(frozen=True, slots=True)
class Template:
    """A way in which URLs are built, how many are, and one of them."""

    template: str
    count: int
    example: str


@dataclass(slots=True)
class _Group:
    """URLs of one template so far."""

    count: int
    example: str


Path = tuple[str, ...]  # its segments; then what comes after them: a slash or none, and the query
Groups = dict[Path, _Group]


def templates(urls: Iterable[str], *, limit: int) -> list[Template]:
    """The templates with the most URLs, `limit` at most; of two with as many, the first in the alphabet."""
    groups = _named(_parsed(urls))
    for place in range(MAX_SEGMENTS):
        groups = _merged(groups, place)
    found = [Template(_text(path), group.count, group.example) for path, group in groups.items()]
    return sorted(found, key=lambda one: (-one.count, one.template))[:limit]


def _parsed(urls: Iterable[str]) -> Groups:
    """The URLs by their segments, each seen for what it is by itself."""
    groups: Groups = {}
    for url in urls:
        path, mark, query = url.partition("#")[0].partition("?")
        segments = path.partition("://")[2].split("/")[1:]
        is_open = bool(segments) and not segments[-1]
        names = [segment for segment in segments if segment]
        rest = len(names) > MAX_SEGMENTS
        end = ("{/rest*}" if rest else "/" if is_open or not names else "") + (_query(query) if mark else "")
        key = (*_classified(names[:MAX_SEGMENTS], is_whole=not rest), end)
        group = groups.get(key)
        if group is None:
            groups[key] = _Group(1, url)
        else:
            group.count += 1
    return groups


def _classified(names: list[str], *, is_whole: bool) -> list[str]:
    found: list[str] = []
    for at, name in enumerate(names):
        if _YEAR.fullmatch(name):
            found.append("{year}")
        elif found[-1:] == ["{year}"] and _MONTH.fullmatch(name):
            found.append("{month}")
        elif found[-2:] == ["{year}", "{month}"] and _DAY.fullmatch(name):
            found.append("{day}")
        else:
            found.append(_segment(name, is_whole and at == len(names) - 1))
    return found


@lru_cache(maxsize=4096)  # the names of a site's sections come again and again
def _segment(name: str, is_last: bool) -> str:
    """What one segment is by itself: a placeholder, or its own name."""
    extension = _EXTENSION.search(name)
    stem, end = (name[: extension.start()], extension[0]) if extension else (name, "")
    if _DATE.fullmatch(stem):
        return "{date}" + end
    if _NUMBER.fullmatch(stem):
        return "{id}" + end
    if _UUID.fullmatch(stem):
        return "{uuid}" + end
    if _HEX.fullmatch(stem) or _KEY.fullmatch(stem):
        return "{hash}" + end
    numbered = _NUMBERED.fullmatch(stem)
    if numbered:
        return numbered[1] + "{id}" + end
    if is_last and _SLUG.fullmatch(stem):
        return "{slug}" + end
    return name


def _query(query: str) -> str:
    """`{?page,q}` for `q=a&page=2`."""
    names = sorted({part.partition("=")[0] for part in query.split("&") if part})
    if len(names) > MAX_PARAMETERS or not all(_PARAMETER.fullmatch(name) for name in names):
        return "{?query*}"
    return "{?" + ",".join(names) + "}" if names else ""


def _named(groups: Groups) -> Groups:
    """With the languages of the site's first segments told as such."""
    codes = {path[0] for path in groups if len(path) > 1 and _is_language(path[0])}
    if len({code[:2].lower() for code in codes}) < 2:
        return groups
    return _regrouped(groups, {path: ("{lang}", *path[1:]) for path in groups if path[0] in codes})


def _is_language(name: str) -> bool:
    match = _LANGUAGE.fullmatch(name)
    return match is not None and match[1].lower() in _LANGUAGES


def _merged(groups: Groups, place: int) -> Groups:
    """With the names at one place of the paths made one, where there are too many of them to be told."""
    # What is last and what leads on are two kinds: pages beside sections.
    places: defaultdict[tuple[Path, bool], Counter[str]] = defaultdict(Counter)
    for path, group in groups.items():
        if len(path) - 1 > place:
            places[path[:place], len(path) - 2 == place][path[place]] += group.count
    exchanged = {key: _exchanged(names, is_last=key[1]) for key, names in places.items()}
    moved: dict[Path, Path] = {}
    for path in groups:
        if len(path) - 1 > place:
            other = exchanged[path[:place], len(path) - 2 == place].get(path[place])
            if other is not None:
                moved[path] = (*path[:place], other, *path[place + 1 :])
    return _regrouped(groups, moved) if moved else groups


def _exchanged(names: Counter[str], *, is_last: bool) -> dict[str, str]:
    """What becomes of the names at one place of one kind; of those that stay, nothing is said."""
    moved: dict[str, str] = {}
    if is_last and names["{id}"] > names["{year}"] > 0:
        moved["{year}"] = "{id}"
    literal = {name: count for name, count in names.items() if not name.startswith("{")}
    slugs = sum(count for name, count in names.items() if name.startswith("{slug}")) if is_last else 0
    if len(literal) + slugs > MAX_NAMES and literal:
        most = STANDS_OUT * median_low(literal.values())
        for name, count in literal.items():
            if count < most:
                extension = _EXTENSION.search(name)
                moved[name] = "{slug}" + (extension[0] if extension else "")
    return moved


def _regrouped(groups: Groups, moved: Mapping[Path, Path]) -> Groups:
    """The groups with some of their paths exchanged, those that became the same counted together."""
    found: Groups = {}
    for path, group in groups.items():
        other = moved.get(path, path)
        same = found.get(other)
        if same is None:
            found[other] = _Group(group.count, group.example)
        else:
            same.count += group.count
    return found


def _text(path: Path) -> str:
    *names, end = path
    return "".join(f"/{name}" for name in names) + end
