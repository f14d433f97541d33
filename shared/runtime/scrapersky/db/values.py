"""Values on their way into Postgres."""

from typing import Any

from psycopg.types.json import Jsonb


def storable_text(text: str) -> str:
    """The text without what Postgres cannot hold: NUL is dropped, a lone surrogate becomes `?`.

    Pages hold both (JSON-LD with `\\u0000`, cut emoji), and one of them would cost the whole result.
    """
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def storable(value: Any) -> Any:
    """The same JSON value with every text, keys too, made storable."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def jsonb(value: Any) -> Jsonb | None:
    """A jsonb parameter; None stays SQL null."""
    return None if value is None else Jsonb(storable(value))
