"""Where in the page an element stands, and what its outermost elements and forms tell of the software behind it."""

from collections.abc import Mapping

from scrapersky.scraping.gathered import (
    MAX_FORM_ACTIONS,
    MAX_LINK_TEXT_CHARS,
    MAX_SHALLOW,
    PLACE_NAMES,
)

# Attributes that say nothing of who wrote them.
_PLAIN_ATTRIBUTE_NAMES = (
    "class id style href src alt title rel type name content lang dir role width height value action method"
)
_PLAIN_ATTRIBUTES = frozenset(_PLAIN_ATTRIBUTE_NAMES.split())
_CONTAINERS = frozenset({"div", "section", "ul", "table", "td"})


class Layout:
    """The page's places (see `Link.place`) as they open and close, and the marks of its shallow elements."""

    def __init__(self) -> None:
        self.classes: set[str] = set()
        self.body_ids: set[str] = set()
        self.marks: dict[str, str] = {}
        self.form_actions: list[str] = []
        self.forms = 0
        self.has_password_field = False
        self.lang: str | None = None
        self.place: str | None = None
        """Where the element that is being read stands, as `Link.place` says it."""
        self.is_header = False
        """Whether a header or navigation is open, be it the innermost place or not."""
        self._places: list[str | None] = []
        self.has_seen_enough = False
        self._seen = 0

    def enter(self, tag: str) -> bool:
        """A header, nav, footer or article begins; whether `leave` is due at its end.

        An article's own header and footer hold its title and tags, and are no places of the page.
        """
        if tag != "article" and self._places and self._places[-1] is None:
            return False
        self._places.append(None if tag == "article" else tag)
        self._settle()
        return True

    def leave(self) -> None:
        self._places.pop()
        self._settle()

    def _settle(self) -> None:
        self.place = self._places[-1] if self._places else None
        self.is_header = "header" in self._places or "nav" in self._places

    def shallow(self, tag: str, attrib: Mapping[str, str]) -> str | None:
        """An element near the root: keeps its marks, and says which place it is if its names say so.

        Not to be called any more when `has_seen_enough`.
        """
        self._seen += 1
        self.has_seen_enough = self._seen >= MAX_SHALLOW
        if not _PLAIN_ATTRIBUTES.issuperset(attrib):
            for name in attrib:
                if name not in _PLAIN_ATTRIBUTES and name not in self.marks:
                    self.marks[name] = attrib[name][:MAX_LINK_TEXT_CHARS]
        if "id" in attrib:
            self.body_ids.add(attrib["id"])
        if tag not in _CONTAINERS:
            return None
        words = f"{attrib.get('role', '')} {attrib.get('id', '')} {attrib.get('class', '')}".lower().split()
        return next((PLACE_NAMES[word] for word in words if word in PLACE_NAMES), None)

    def root(self, tag: str, attrib: Mapping[str, str]) -> None:
        """html and body."""
        self.classes.update(attrib.get("class", "").split())
        if tag == "html":
            self.lang = self.lang or attrib.get("lang") or attrib.get("xml:lang")

    def form(self, _tag: str, attrib: Mapping[str, str]) -> None:
        self.forms += 1
        self.classes.update(attrib.get("class", "").split())
        if attrib.get("action") and len(self.form_actions) < MAX_FORM_ACTIONS:
            self.form_actions.append(attrib["action"].strip())

    def input(self, _tag: str, attrib: Mapping[str, str]) -> None:
        if attrib.get("type", "").lower() == "password":
            self.has_password_field = True
