"""Pages through a list of the API, one page as it is or all of them as one document, and shows it."""

from collections.abc import Callable, Sequence

from rich.table import Table

from scrapersky_cli.client import Document
from scrapersky_cli.errors import UnexpectedAnswer
from scrapersky_cli.session import Session


def fetch(
    page_at: Callable[[str | None], Document], *, cursor: str | None, everything: bool, key: str = "items"
) -> Document:
    """The page at `cursor`; with `everything`, that page and all after it in one, whose next_cursor is null.

    `key` names the list in the document.
    """
    document = page_at(cursor)
    items_of(document, key)
    seen: set[str] = set()
    while everything and (cursor := document.get("next_cursor")):
        if cursor in seen:
            raise UnexpectedAnswer("the API's list leads back to a page that was read already")
        seen.add(cursor)
        following = page_at(cursor)
        items = [*items_of(document, key), *items_of(following, key)]
        document = {**following, key: items}
    return document


def show(
    session: Session,
    document: Document,
    as_table: Callable[[Sequence[Document]], Table],
    *,
    as_json: bool,
    key: str = "items",
) -> None:
    """The list as JSON or as a table, and how to see the rest of it."""
    if as_json:
        session.show_json(document)
        return
    session.show(as_table(items_of(document, key)))
    if document.get("next_cursor"):
        session.say(f"There are more: --all lists them, --cursor {document['next_cursor']} goes on.")


def items_of(document: Document, key: str = "items") -> list[Document]:
    items = document.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnexpectedAnswer("the API did not answer with a list")
    return items
