"""What stands where a site's page should: a bot check, a login, a parked name, a default page, an empty frame.

Such an answer has a title and a text like any page, and none of it is the site's. The rules are data: `walls.toml`
beside this module. Two rules are of a page's shape, which no pattern tells: a login form with nothing around it, and a
frame that a script would fill.

Words can be anybody's: a broker's title is "Domains for sale", a press may be called after a server's greeting. So what
only words or a form tell does not hold of a page that shows an e-mail address at the scanned domain itself, as parked
names, default pages and missing pages do not. A bot check holds all the same, and so does what a status, a header, a
host, a path or a vendor's own address tells.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping import emails
from scrapersky.scraping.page import PageFacts

MAX_LOGIN_CHARS: Final = 800
"""Visible text of a page that is a login and nothing else: labels, a footer, a sentence of welcome."""

MAX_LOGIN_LINKS: Final = 12
"""Such a page links to little: the way to a new password, terms, languages."""

MAX_FRAME_CHARS: Final = 60
"""Visible text of a page that a script has yet to fill: `Loading...`."""

MAX_BLOCK_LINKS: Final = 30
"""A page whose links are more is one that people use, whatever its words."""

MAX_ADDRESSES: Final = 50
"""Addresses of each kind that are looked at: a page with so little text has few."""

_FILLED_IN: Final = frozenset({"webmaster", "postmaster", "hostmaster", "abuse", "root", "admin", "administrator"})
"""Names (RFC 2142) that servers put before any domain's: an account's suspended page tells to write to `webmaster@`."""

_LOGIN_PATH = re.compile(
    r"/(?:wp-login\.php|log-?in|sign-?in|users/sign_in|auth|account/login|anmelden|connexion|iniciar-sesion|accedi)"
    r"(?:[/.?]|$)",
    re.IGNORECASE,
)
_LOGIN_TITLE = re.compile(
    r"\b(?:log ?in|log ?on|sign ?in|anmelden|anmeldung|einloggen|connexion|iniciar sesi[oó]n|accedi|inloggen|"
    r"logowanie|zaloguj|logga in|log ind|logg inn|kirjaudu|přihlášení|bejelentkezés|giriş|вход|войти|"
    r"ログイン|登录|登入)\b",
    re.IGNORECASE,
)
_FRAME_IDS: Final = frozenset(
    {"root", "app", "__next", "__nuxt", "___gatsby", "svelte", "app-root", "main-app", "q-app"}
)
_ASKS_FOR_SCRIPT = re.compile(r"javascript|enable js\b", re.IGNORECASE)
_TEXT_CHARS: Final = 8_000  # of a page's text, as much as any rule looks at


@dataclass(frozen=True, slots=True)
class Wall:
    """What an answer is instead of a page, and whose."""

    code: ErrorCode
    by: str

    def tell(self, what: str) -> str:
        """A sentence for people about `what`, a page."""
        return _SENTENCES[self.code].format(what=what, by=self.by)


_SENTENCES: Final = {
    ErrorCode.BLOCKED: "{what} is behind a check that lets no programs pass ({by})",
    ErrorCode.LOGIN_REQUIRED: "{what} is for those who log in only ({by})",
    ErrorCode.NEEDS_JS: "{what} is an empty frame until a browser runs its scripts",
    ErrorCode.PARKED: "{what} belongs to no site: the name is parked or for sale ({by})",
    ErrorCode.DEFAULT_PAGE: "{what} is the default page of {by}: there is no site yet, or none any more",
    ErrorCode.SOFT_404: "{what} says that there is no such page",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """The fields are those of `walls.toml`."""

    code: ErrorCode
    by: str
    status: frozenset[int] = frozenset()
    header: dict[str, re.Pattern[str]] = field(default_factory=dict)
    host: tuple[str, ...] = ()
    path: re.Pattern[str] | None = None
    title: re.Pattern[str] | None = None
    text: re.Pattern[str] | None = None
    code_has: tuple[str, ...] = ()
    most_chars: int | None = None
    most_links: int | None = None

    @property
    def is_of_words(self) -> bool:
        """Whether nothing but the page's own words tells that it is no page of people's."""
        surer = self.header or self.host or self.path or self.code_has
        return self.code is not ErrorCode.BLOCKED and bool(self.title or self.text) and not surer


NEEDS_JS: Final = Wall(ErrorCode.NEEDS_JS, "the site")
"""What `is_empty_frame` tells."""


def find_wall(page: PageFacts, status_code: int, headers: Mapping[str, str], *, domain: str) -> Wall | None:
    """The wall that an answer is, or None for a page. `headers` are looked up in lower case, `domain` is whose scan.

    A frame that a script would fill is none yet: `is_empty_frame` tells, when all of the site has been looked at.
    """
    seen = _Seen(page, status_code, headers, domain)
    for rule in _rules():
        if seen.fits(rule) and not (rule.is_of_words and seen.has_own_address):
            return Wall(rule.code, rule.by)
    if 200 <= status_code < 300 and is_login(page) and not seen.has_own_address:
        return Wall(ErrorCode.LOGIN_REQUIRED, "a login form")
    return None


def is_login(page: PageFacts) -> bool:
    """Whether a page is a login and nothing else. A form in the header of a page that says more is none."""
    if not page.has_password_field or page.forms > 2 or len(page.links) > MAX_LOGIN_LINKS:
        return False
    if len(page.text) > MAX_LOGIN_CHARS:
        return False
    return bool(_LOGIN_PATH.search(urlsplit(page.url).path)) or bool(page.title and _LOGIN_TITLE.search(page.title))


def is_empty_frame(page: PageFacts) -> bool:
    """Whether a page says and links to nothing until a script fills it, as its ids or its noscript text tell.

    What stands in its head may still be true and enough: that is for those to judge who have read it.
    """
    if len(page.text.strip()) > MAX_FRAME_CHARS or len(page.links) > 2:
        return False
    if not (page.scripts.strip() or any(asset.kind == "script" for asset in page.assets)):
        return False
    return bool(page.body_ids & _FRAME_IDS) or bool(_ASKS_FOR_SCRIPT.search(page.noscript))


class _Seen:
    """One answer, laid out so that a rule that does not fit is soon done with."""

    def __init__(self, page: PageFacts, status_code: int, headers: Mapping[str, str], domain: str) -> None:
        self.page = page
        self.status_code = status_code
        self.headers = headers
        parts = urlsplit(page.url)
        self.host = parts.hostname or ""
        self.is_elsewhere = not _is_below(self.host, domain)
        self.path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.text = " ".join(page.text[:_TEXT_CHARS].split())
        self.chars = len(page.text) if len(page.text) > _TEXT_CHARS else len(self.text)
        self.domain = domain.removeprefix("www.")
        self._code: str | None = None

    @cached_property
    def has_own_address(self) -> bool:
        """Whether the page shows an address at the scanned domain, or below it, that somebody chose."""
        for address in self._addresses():
            name, _, host = address.partition("@")
            if _is_below(host, self.domain) and name not in _FILLED_IN:
                return True
        return False

    def _addresses(self) -> Iterator[str]:
        written_to = (link.href[7:] for link in self.page.links if link.href[:7].lower() == "mailto:")
        for target in islice(written_to, MAX_ADDRESSES):
            yield from islice(emails.addresses_of_mailto(target), MAX_ADDRESSES)
        for token in islice(self.page.cfemail, MAX_ADDRESSES):
            if address := emails.address_of_cfemail(token):
                yield address
        yield from islice(emails.addresses_in(self.page.text[:_TEXT_CHARS]), MAX_ADDRESSES)

    @property
    def code(self) -> str:
        """Scripts, and the addresses of all that the page loads or links to."""
        if self._code is None:
            page = self.page
            addresses = [asset.url for asset in page.assets] + [link.href for link in page.links[:MAX_BLOCK_LINKS]]
            refresh = page.metas.get("refresh", "")
            self._code = "\n".join([page.scripts[:100_000], *addresses, refresh])
        return self._code

    def fits(self, rule: _Rule) -> bool:
        if rule.status and self.status_code not in rule.status:
            return False
        if rule.most_chars is not None and (self.chars > rule.most_chars or len(self.page.links) > MAX_BLOCK_LINKS):
            return False
        if rule.most_links is not None and len(self.page.links) > rule.most_links:
            return False
        if not all(pattern.search(self.headers.get(name, "")) for name, pattern in rule.header.items()):
            return False
        if rule.host and not (self.is_elsewhere and any(_is_below(self.host, host) for host in rule.host)):
            return False
        if rule.path and not rule.path.search(self.path):
            return False
        if rule.title and not rule.title.search(self.page.title or ""):
            return False
        if rule.text and not rule.text.search(self.text):
            return False
        return not rule.code_has or any(part in self.code for part in rule.code_has)


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


@cache
def _rules() -> tuple[_Rule, ...]:
    """The table, read once and at first use."""
    table = tomllib.loads(files(__package__).joinpath("walls.toml").read_text(encoding="utf-8"))
    return tuple(_rule(entry) for entry in table["wall"])


def _rule(entry: dict[str, Any]) -> _Rule:
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key == "why":
            continue
        if key == "code":
            values[key] = ErrorCode(value)
        elif key in ("path", "title", "text"):
            values[key] = re.compile(value, re.IGNORECASE)
        elif key == "header":
            values[key] = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in value.items()}
        elif key == "status":
            values[key] = frozenset(value)
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
    return _Rule(**values)
