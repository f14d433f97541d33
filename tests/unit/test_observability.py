"""Log lines: one JSON object each, whatever is said; and no secret on any, wherever it stands."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from scrapersky import observability
from scrapersky.observability import HIDDEN, LONGEST_TEXT, hide, logger, observed, shown
from support.http_events import Context
from support.log_lines import recorded

# What a library, Python itself and a function write in one process, as Lambda's runtime sets its logging up.
IN_LAMBDA = """
import json, logging, sys, warnings
from awslambdaric.bootstrap import _setup_logging, StandardLogSink
from awslambdaric.lambda_runtime_log_utils import LogFormat
from scrapersky.observability import hide, logger
_setup_logging(LogFormat.TEXT, "", StandardLogSink())
hide("hunter2-hunter2")
logger().info("own")
logging.getLogger("botocore").warning("pool full\\nof %s", "hunter2-hunter2")
logging.getLogger("httpx").info("HTTP Request: GET https://shop.example/")
warnings.warn("odd\\nhunter2-hunter2")
try:
    raise ValueError("hunter2-hunter2")
except ValueError:
    logging.getLogger("asyncio").exception("lost")
"""


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests hid is not hidden here, nor the other way round."""
    monkeypatch.setattr(observability, "_secrets", set())


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with recorded(capsys) as written:
        yield written.events


def failing(error: Callable[[], Exception]) -> Callable[[Any, Any], Any]:
    """A function that always ends in an error."""

    @observed
    def handler(_event: Any, _context: Any) -> None:
        raise error()

    return handler


def test_one_line_is_one_object_whatever_it_says(lines: Callable[[], list[dict[str, Any]]]) -> None:
    odd = "a\nb\r\x00\x1b[2J\x85\u2028\ud800\U0001f600"
    recursive: list[object] = [UUID(int=1), {(1, odd): odd}, b"\xff", float("nan"), {odd}]
    logger().error(odd, extra={"reason": odd, "values": recursive, "share": float("inf")})
    (line,) = lines()
    assert (line["message"], line["reason"], line["share"]) == (odd, odd, "inf")
    assert line["values"][:2] == [str(UUID(int=1)), {str((1, odd)): odd}]
    assert line["values"][3] == "nan"


def test_an_exception_is_one_line_with_all_that_led_to_it(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        try:
            raise ValueError("first\nof two")
        except ValueError as error:
            raise KeyError("second") from error
    except KeyError:
        logger().exception("broke")
    (line,) = lines()
    assert "first\nof two" in line["exception"]
    assert line["exception_name"] == "KeyError"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl is bad", f"token {HIDDEN} is bad"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.", HIDDEN),
        ("{'authorization': 'Bearer opaque-Token_1'}", "{'authorization': 'Bearer " + HIDDEN + "'}"),
        ("Basic dXNlcjpwYXNz", f"Basic {HIDDEN}"),
        ("GET https://user:pa@ss@shop.example/a", f"GET https://{HIDDEN}@shop.example/a"),
        ("'https://shop.example/a?key=1#part' failed", f"'https://shop.example/a?{HIDDEN}' failed"),
        ("postgresql://app:secret@db.example:6543/app", f"postgresql://{HIDDEN}@db.example:6543/app"),
        (
            "null value violates it\nDETAIL:  Failing row contains (a\nb).\nCONTEXT:  at once",
            f"null value violates it\nDETAIL:  {HIDDEN}\nCONTEXT:  at once",
        ),
        ("Send a bearer token: https://shop.example/a", "Send a bearer token: https://shop.example/a"),
        ("a@shop.example wrote at 12:30://", "a@shop.example wrote at 12:30://"),
    ],
)
def test_what_has_the_form_of_a_secret_is_not_shown_and_the_rest_is(text: str, told: str) -> None:
    assert shown(text) == told


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("postgresql://app:s%40cr%C3%A9t'1@db.example/app", "password s@crét'1 was refused"),
        ("postgresql://app:s%40cr%C3%A9t'1@db.example/app", "password s%40cr%C3%A9t'1 was refused"),
        ("postgresql://app:p@ss/word1@db.example/app", "host p@ss/word1 is unknown"),
        ("host=db.example password=s3cret-word user=app", "with s3cret-word"),
        ("host=db.example password='s3cret word' user=app", "with s3cret word"),
        ("host=db.example password='s3cret\\'s word' user=app", "with s3cret's word"),
        ("key\nof\ttwo'lines\"", repr(["key\nof\ttwo'lines\""])),
        ("key\nof\ttwo lines", json.dumps({"key": "key\nof\ttwo lines"})),
        ("schlüssel-wort", json.dumps("schlüssel-wort")),
        ("word-of-a-file\n", "with word-of-a-file."),
    ],
)
def test_a_secret_that_was_read_is_shown_in_no_spelling(secret: str, text: str) -> None:
    before = shown(text)
    hide(secret)
    assert shown(text) != before
    assert HIDDEN in shown(text)
    for part in ("cr", "ss/word", "cret", "two", "lüssel", "u00fc"):
        assert part not in shown(text).replace("refused", "")


def test_a_word_is_no_secret() -> None:
    hide("host=db.example password=app user=app")
    assert shown("the app started") == "the app started"


def test_a_word_that_is_a_secret_does_not_take_a_line_apart(lines: Callable[[], list[dict[str, Any]]]) -> None:
    hide("message")
    logger().info("a message")
    (line,) = lines()
    assert line["message"] == f"a {HIDDEN}"


def test_keys_are_looked_through_like_values(lines: Callable[[], list[dict[str, Any]]]) -> None:
    hide("s3cret-word")
    logger().info(
        "s3cret-word", extra={"deep": {"s3cret-word": [("s3cret-word",)]}, "error": ValueError("s3cret-word")}
    )
    (line,) = lines()
    assert (line["message"], line["deep"], line["error"]) == (HIDDEN, {HIDDEN: [[HIDDEN]]}, HIDDEN)


@pytest.mark.parametrize("word", ["http://", "eyJ", "bearer ", "://", "DETAIL:  ", "eyJaaaaa.", "a:b@"])
def test_a_long_text_is_cut_and_soon_read(word: str) -> None:
    begin = time.process_time()
    told = shown(word * (5_000_000 // len(word)))
    assert time.process_time() - begin < 5  # seconds; without bounds it would be hours
    assert len(told) <= LONGEST_TEXT + 3


def test_a_failing_function_is_logged_and_fails(lines: Callable[[], list[dict[str, Any]]]) -> None:
    with pytest.raises(KeyError, match="run"):
        failing(lambda: KeyError("run"))({}, Context())
    (line,) = lines()
    assert (line["level"], line["exception_name"]) == ("ERROR", "KeyError")
    assert line["function_request_id"] == Context().aws_request_id


def test_an_error_that_holds_a_secret_fails_under_its_name_without_it(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    class Unavailable(Exception):
        pass

    hide("s3cret-word")
    with pytest.raises(Exception, match=r"^cannot connect with \*\*\*$") as raised:
        failing(lambda: Unavailable("cannot connect with s3cret-word"))({}, Context())
    assert raised.type.__name__ == "Unavailable"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "s3cret-word" not in json.dumps(lines())


def test_in_lambda_libraries_and_warnings_write_as_functions_do() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_LAMBDA],
        env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "POWERTOOLS_SERVICE_NAME": "sweeper"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    written = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["service"] for line in written} == {"sweeper"}
    assert [line["level"] for line in written] == ["INFO", "WARNING", "WARNING", "ERROR"]
    assert [line["message"].split()[0] for line in written] == ["own", "pool", "<string>:11:", "lost"]
    assert "hunter2" not in done.stdout
