"""Every command explains itself, with examples that really parse."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from scrapersky_cli.main import app

GROUP = get_command(app)
assert isinstance(GROUP, TyperGroup)


def commands_of(commands: Mapping[str, Any], *path: str) -> Iterator[tuple[str, Any]]:
    """Every command by all of its words, those of groups as well as the groups."""
    for name, command in commands.items():
        yield " ".join((*path, name)), command
        if isinstance(command, TyperGroup):
            yield from commands_of(command.commands, *path, name)


TOP = GROUP.commands
EVERY_COMMAND = dict(commands_of(TOP))
COMMANDS = {name: command for name, command in EVERY_COMMAND.items() if not isinstance(command, TyperGroup)}


def examples(name: str) -> list[list[str]]:
    """The arguments of each example in a command's help that calls the command."""
    _, _, lines = (EVERY_COMMAND[name].help or "").partition("Examples:")
    calls = (line.strip() for line in lines.splitlines())
    words = len(name.split()) + 1
    return [
        shlex.split(call)[words:] for line in calls if (call := line.split(" | ")[0]).startswith(f"scrapersky {name}")
    ]


EVERY_EXAMPLE = [(name, arguments) for name in sorted(COMMANDS) for arguments in examples(name)]


@pytest.mark.parametrize("name", sorted(EVERY_COMMAND))
def test_a_command_has_help_with_an_example(name: str) -> None:
    ran = CliRunner().invoke(app, [*name.split(), "--help"])
    assert ran.exit_code == 0
    assert examples(name)
    assert "Examples:" in ran.stdout


@pytest.mark.parametrize(("name", "arguments"), EVERY_EXAMPLE, ids=lambda value: str(value))
def test_an_example_is_a_command_line_that_parses(name: str, arguments: list[str]) -> None:
    with COMMANDS[name].make_context(name, list(arguments)) as context:
        assert context.args == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_is_for(name: str) -> None:
    assert all(getattr(parameter, "help", "") for parameter in COMMANDS[name].params)


def test_the_command_alone_shows_its_help_and_exits_with_2() -> None:
    ran = CliRunner().invoke(app, [])
    assert ran.exit_code == 2
    assert all(name in ran.output for name in TOP)
