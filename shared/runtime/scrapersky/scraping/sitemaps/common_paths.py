"""Where sites have their sitemap when nothing says so. The places are data: `common_paths.toml` beside this module."""

import tomllib
from collections.abc import Collection
from functools import cache
from importlib.resources import files


@cache
def _places() -> tuple[tuple[str, frozenset[str]], ...]:
    """(path, the software whose place it is), as the table has them."""
    document = tomllib.loads(files(__package__).joinpath("common_paths.toml").read_text(encoding="utf-8"))
    return tuple((entry["path"], frozenset(entry["of"])) for entry in document["path"])


def in_order(made_with: Collection[str] = ()) -> list[str]:
    """All paths, first those of the software that the site is made with, as `technology` names it."""
    return [path for path, of in sorted(_places(), key=lambda place: -len(place[1].intersection(made_with)))]
