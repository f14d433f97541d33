"""Tables for people: a row's name keeps to one line, unless it would take the room of everything else."""

from io import StringIO

import pytest
from rich.console import Console

from scrapersky_cli.render import LONGEST_NAME, add_row, table

ERROR = "too_many_redirects"
LABEL = "a" * 63


def printed(name: str, width: int) -> list[str]:
    made = table(None, "Domain", "Error")
    add_row(made, ("shop.example", ERROR))
    add_row(made, (name, ERROR))
    console = Console(file=StringIO(), width=width)
    console.print(made)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("labels", [2, 3])
def test_a_long_name_is_folded_and_leaves_the_other_columns_whole(labels: int) -> None:
    name = ".".join([LABEL] * labels)
    lines = printed(name, 100)
    assert [line.split() for line in lines[:2]] == [["Domain", "Error"], ["shop.example", ERROR]]
    assert lines[2].endswith(ERROR)
    assert "".join(line.split()[0] for line in lines[2:]) == name


def test_control_a_name_of_one_label_is_on_one_line() -> None:
    assert len(LABEL) < LONGEST_NAME
    assert printed(LABEL, 100)[2].split() == [LABEL, ERROR]
