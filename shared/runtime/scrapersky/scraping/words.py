"""The word lists of `contact_words.toml`, read at first use."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def words(name: str) -> frozenset[str]:
    """One list of the file, by its key."""
    return frozenset(_table()[name].split())


@cache
def own_pages() -> dict[str, frozenset[str]]:
    """Network -> first path segments, lower case, that are nobody's profile there."""
    return {network: frozenset(text.split()) for network, text in _table()["own_pages"].items()}


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("contact_words.toml").read_text(encoding="utf-8"))
