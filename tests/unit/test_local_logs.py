"""Function output as people read it."""

import json
import re

from scrapersky_local.logs import readable

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
