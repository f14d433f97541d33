"""Function output as people read it."""

import json
import re

import pytest

from scrapersky_local.logs import entry, readable

CLOCK = r"\d\d:\d\d:\d\d"


def event(**values: object) -> str:
    return json.dumps(
        {
            "level": "INFO",
            "location": "lambda_handler:12",
            "message": "scan finished",
            "timestamp": "2026-03-01 12:30:00,250+0000",
            "service": "domain_scan_worker",
            "cold_start": True,
            "function_request_id": "2b6f",
            **values,
        }
    )


def test_an_event_is_time_function_level_message_and_its_own_keys() -> None:
    line = readable("domain_scan_worker", event(job_id="j1", pages=3))
    assert line is not None
    assert re.fullmatch(rf"{CLOCK} domain_scan_worker INFO    scan finished job_id=j1 pages=3", line)


def test_values_that_would_run_together_are_quoted() -> None:
    line = readable("sweeper", event(reason="two words", empty="", many=[1, 2]))
    assert line is not None
    assert line.endswith('reason="two words" empty="" many=[1, 2]')


def test_a_traceback_stands_below_its_event() -> None:
    line = readable("sweeper", event(level="ERROR", exception="Traceback:\n  boom\n", exception_name="ValueError"))
    assert line is not None
    first, *rest = line.splitlines()
    assert first.endswith("ERROR   scan finished")
    assert rest == ["    Traceback:", "      boom"]


def test_text_that_is_no_event_is_shown_as_it_is() -> None:
    line = readable("jobs_api", "segmentation fault\n")
    assert line is not None
    assert re.fullmatch(rf"{CLOCK} jobs_api           segmentation fault", line)


def test_json_that_is_no_event_is_text() -> None:
    line = readable("jobs_api", "[1, 2]")
    assert line is not None
    assert line.endswith("[1, 2]")


def test_metrics_and_empty_lines_are_not_shown() -> None:
    assert readable("sweeper", '{"_aws": {"Timestamp": 1}, "JobsPending": 4}') is None
    assert readable("sweeper", "  ") is None


def test_an_event_without_a_time_gets_the_present() -> None:
    line = readable("sweeper", '{"level": "WARNING", "message": "odd"}')
    assert line is not None
    assert re.match(rf"{CLOCK} sweeper            WARNING odd", line)


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "[ERROR] KeyError: 'run'\rTraceback (most recent call last):\r  File",
        "\x1b[2J\x00\x9b31m\u2028\ud800\x7f",
        "[1, 2]",
        '"text"',
        "null",
        "{'a': 1}",
        '{"half": ',
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_what_is_no_object_is_kept_as_the_message_of_one(line: str) -> None:
    kept = entry("jobs_api", line)
    assert kept is not None
    assert kept.isascii()
    assert len(kept.splitlines()) == 1
    event = json.loads(kept)
    assert (event.pop("service"), event.pop("message")) == ("jobs_api", line)
    assert re.match(r"\d{4}-\d\d-\d\dT", event.pop("timestamp"))
    assert event == {}


def test_an_event_is_kept_as_it_is_with_the_function_that_wrote_it() -> None:
    assert json.loads(entry("sweeper", event(pages=3)) or "") == json.loads(event(pages=3))
    assert json.loads(entry("sweeper", '{"_aws": {}, "JobsPending": 4}') or "") == {
        "service": "sweeper",
        "_aws": {},
        "JobsPending": 4,
    }


def test_what_python_writes_as_json_and_is_none_is_made_json() -> None:
    kept = entry("sweeper", '{"share": NaN, "most": -Infinity}') or ""
    assert json.loads(kept, parse_constant=pytest.fail) == {"service": "sweeper", "share": "NaN", "most": "-Infinity"}


def test_an_empty_line_is_not_kept() -> None:
    assert entry("sweeper", " \n") is None


@pytest.mark.parametrize(
    "line",
    [
        "\x1b[2Jcleared\x9b31m\x00",
        event(reason="\x1b[2Jcleared"),
        event(message="\x1b[2Jcleared\r\x07\nforged line"),
        event(level="ERROR", exception="ValueError: \x1b[2Jcleared"),
    ],
)
def test_nothing_that_is_shown_acts_on_the_terminal(line: str) -> None:
    text = readable("dead_letter", line)
    assert text is not None
    assert "cleared" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert [first for first in text.splitlines() if not re.match(rf"{CLOCK} dead_letter|    ", first)] == []


def test_the_runtime_clients_traceback_stands_below_its_error() -> None:
    text = readable("sweeper", "[ERROR] KeyError: 'run'\rTraceback:\r  File\n")
    assert text is not None
    first, *rest = text.splitlines()
    assert first.endswith("[ERROR] KeyError: 'run'")
    assert rest == ["    Traceback:", "      File"]
