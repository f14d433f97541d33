"""The runbook in README.md, "Operations": an entry for every alarm that there is, each with commands that there are."""

import re
from typing import Any

import pytest
import typer

from contract import cloudformation as cfn
from contract.watched import dead_letter_queues, deployed
from scrapersky_cli.main import app

README = (cfn.ROOT / "README.md").read_text("utf-8")
ALARM_TYPES = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
COMMAND = re.compile(r"`((?:scrapersky|aws|sam) [^`]+)`")


def section(text: str) -> str:
    found = re.search(r"^## Operations\n(.*?)^## ", text, re.M | re.S)
    assert found
    return found[1]


def entries(text: str) -> dict[str, list[str]]:
    """The alarm names of the table with the other cells of their row. A name twice is none."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section(text).splitlines() if line.startswith("| `")]
    found: dict[str, list[str]] = {}
    for first, *others in rows:
        for name in re.findall(r"`([^`]+)`", first):
            assert name not in found, name
            found[name] = [cell.strip() for cell in others]
    return found


def alarms() -> set[str]:
    """What the template names its alarms, behind the stack's name."""
    return {
        one["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for kind in ALARM_TYPES
        for one in cfn.of_type(kind).values()
    }


ENTRIES = entries(README)


def test_every_alarm_has_an_entry_and_every_entry_an_alarm() -> None:
    assert set(ENTRIES) == alarms()


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_entry_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    meaning, look, mend = ENTRIES[name]
    assert meaning
    assert COMMAND.search(look) or re.search(r"\*[^*]+\*", look)
    assert COMMAND.search(f"{look} {mend}")
    assert mend


def test_the_queries_and_queues_that_it_names_are_there() -> None:
    queries = {
        query["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}/")
        for query in cfn.of_type("AWS::Logs::QueryDefinition").values()
    }
    table = " ".join(cell for cells in ENTRIES.values() for cell in cells)
    assert set(re.findall(r"\*([^*]+)\*", table)) <= queries
    assert set(re.findall(r"\b\w+DeadLetterQueue\b", table)) <= dead_letter_queues(deployed())
    named = set(re.findall(r"/scrapersky/STACK/([\w-]+)", table))
    groups = {group["LogGroupName"]["Fn::Sub"].split("/")[-1] for group in cfn.of_type("AWS::Logs::LogGroup").values()}
    assert named <= groups
    parameters = set(re.findall(r"--parameter-overrides (\w+)=", table))
    assert parameters <= set(cfn.written()["Parameters"])


def subcommands(command: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths of all commands that have no further ones below."""
    below: dict[str, Any] = getattr(command, "commands", {})
    if not below:
        return {path}
    return {one for name, inner in below.items() for one in subcommands(inner, (*path, name))}


def test_the_commands_of_ours_are_there() -> None:
    known = subcommands(typer.main.get_command(app))
    said = {
        tuple(command.split()[1:]) for command in COMMAND.findall(section(README)) if command.startswith("scrapersky ")
    }
    assert said
    for words in said:
        assert any(words[: len(path)] == path for path in known), words


@pytest.mark.parametrize("change", [("| `canary` ", "| `kanary` "), ("`sweeper-silent` | ", "`sweeper` | ")])
def test_control_a_name_that_is_no_alarm_s_is_seen(change: tuple[str, str]) -> None:
    mutant = README.replace(*change)
    assert mutant != README
    assert set(entries(mutant)) != alarms()
