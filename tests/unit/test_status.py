"""The rules of states: which follows which, and that database and code use the same words."""

import re

from scrapersky.db.migrate import shipped
from scrapersky.domain.status import FINAL, TRANSITIONS, ErrorCode, JobStatus

SCHEMA = "\n".join(migration.text for migration in shipped())


def words_of_check(column: str, *, known: str) -> set[str]:
    """Of the last migration that says, in a check that names the word `known`: each later one replaces the check."""
    checks = [set(re.findall(r"'(\w+)'", found)) for found in re.findall(rf"check \({column} in \(([^)]*)\)", SCHEMA)]
    return next(words for words in reversed(checks) if known in words)


def test_every_state_has_its_followers_and_only_unsuccessful_ends_have_a_way_back() -> None:
    assert set(TRANSITIONS) == set(JobStatus)
    assert all(TRANSITIONS[status] & FINAL for status in set(JobStatus) - FINAL)
    assert TRANSITIONS[JobStatus.COMPLETE] == frozenset()
    assert {status for status in FINAL if TRANSITIONS[status]} == {JobStatus.FAILED, JobStatus.CANCELLED}


def test_the_database_knows_the_same_states_and_errors() -> None:
    assert words_of_check("status", known="running") == {status.value for status in JobStatus}
    assert words_of_check("error_code", known="timeout") == {code.value for code in ErrorCode}
