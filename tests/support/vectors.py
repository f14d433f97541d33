"""The tables under tests/data that several suites read."""

import tomllib
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data"


def read(name: str) -> dict[str, Any]:
    """The TOML file of this name."""
    return tomllib.loads((_DATA / name).read_text(encoding="utf-8"))


def address_verdicts() -> list[tuple[str, str]]:
    """(address, "public" or the words of its refusal) of addresses.toml, in its order; borders may come twice."""
    return [pair for block in read("addresses.toml")["block"] for pair in block["addresses"].items()]
