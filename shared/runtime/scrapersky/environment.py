"""Reads the variables of an environment, and says by name which one is not as it has to be."""

from collections.abc import Mapping

from scrapersky.errors import ConfigurationError

Environment = Mapping[str, str]


def required(env: Environment, name: str) -> str:
    """The variable's text.

    Raises:
        ConfigurationError: it is not set or empty; the message names it.
    """
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"environment variable {name} is not set")
    return value


def number(env: Environment, name: str, *, at_least: int, at_most: int) -> int:
    """The variable as a whole number within bounds.

    Raises:
        ConfigurationError: it is not set, no whole number or out of bounds; the message names it.
    """
    text = required(env, name)
    try:
        value = int(text)
    except ValueError as error:
        raise ConfigurationError(f"environment variable {name} is no whole number") from error
    if not at_least <= value <= at_most:
        raise ConfigurationError(f"environment variable {name} is not between {at_least} and {at_most}")
    return value


def words(env: Environment, name: str) -> tuple[str, ...]:
    """The variable's texts, which commas part; none when it is not set."""
    return tuple(word.strip() for word in env.get(name, "").split(",") if word.strip())
