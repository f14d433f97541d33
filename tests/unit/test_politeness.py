"""How long a host asks to be left alone, and what comes of it. The web is a list of answers."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.answers import Attempt, Fetched, FetchFailure, Streamed
from scrapersky.scraping.limits import PAGE_LIMITS
from scrapersky.scraping.politeness import MAX_PAUSE_SECONDS, MAX_WAIT_SECONDS, HostTimes, PoliteClient, retry_after
from scrapersky.scraping.streams import Meter

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)
URL = "https://shop.example/"
SHORT = 0.05


def answer(status: int = 200, url: str = URL, **headers: str) -> Fetched:
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fetched(url, status, named, b"", 0, 1, NOW)


class Web:
    """Gives its answers one after the other, and notes when."""

    def __init__(self, *answers: Fetched) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, float]] = []
        self.open = 0

    def get(
        self, url: str, *, allow: Callable[[str], FetchFailure | None] = lambda _: None, **_: Any
    ) -> Fetched | FetchFailure:
        if refused := allow(url):
            return refused
        self.asked.append((url, time.monotonic()))
        return self.answers.pop(0)

    @contextmanager
    def stream(self, url: str, **given: Any) -> Iterator[Streamed | FetchFailure]:
        assert self.open == 0, "one at a time"
        found = self.get(url, **given)
        if isinstance(found, FetchFailure):
            yield found
            return
        self.open += 1
        response = httpx.Response(found.status_code, headers=found.headers, content=b"")
        meter = Meter(float("inf"), PAGE_LIMITS, lambda: False)
        yield Streamed(response, Attempt(found.url), meter)
        self.open -= 1

    @property
    def gap(self) -> float:
        """Seconds from the first request to the second."""
        return self.asked[1][1] - self.asked[0][1]


def polite(web: Web, *, seconds: float = 60, stop: bool = False) -> PoliteClient:
    return PoliteClient(web, time.monotonic() + seconds, lambda: stop)


def get(
    web: Web, *, delay: float | None = None, seconds: float = 60, stop: bool = False
) -> tuple[Fetched | FetchFailure, PoliteClient]:
    client = polite(web, seconds=seconds, stop=stop)
    deadline = time.monotonic() + seconds
    return client.get(URL, deadline=deadline, allow=lambda url: client.hold(url, delay)), client


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
        ("Sun Nov  6 08:49:37 1994", 37),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0),
        ("1" + "0" * 5000, float("inf")),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_the_wish_of_a_busy_host_is_read(status: int, header: str, seconds: float | None) -> None:
    assert retry_after(answer(status, retry_after=header)) == seconds


def test_a_date_is_counted_by_the_host_s_own_clock() -> None:
    told = {"retry_after": "Sun, 06 Nov 2044 08:49:37 GMT", "date": "Sun, 06 Nov 2044 08:49:30 GMT"}
    assert retry_after(answer(503, **told)) == 7


@pytest.mark.parametrize("status", [200, 301, 404, 500, 502])
def test_other_answers_put_nobody_off(status: int) -> None:
    assert retry_after(answer(status, retry_after="120")) is None


def test_a_page_that_was_put_off_is_asked_for_once_more() -> None:
    web = Web(answer(503, retry_after="1"), answer())
    found, client = get(web)
    assert isinstance(found, Fetched)
    assert found.status_code == 200
    assert web.gap >= 1
    assert client.pause_seconds == 0


def test_a_page_is_put_off_once_only() -> None:
    web = Web(answer(429, retry_after="0"), answer(429, retry_after="9"), answer())
    found, client = get(web)
    assert isinstance(found, Fetched)
    assert (found.status_code, len(web.asked)) == (429, 2)
    assert 0 < client.pause_seconds <= 9


@pytest.mark.parametrize(
    ("header", "seconds", "pause"),
    [
        (str(round(MAX_WAIT_SECONDS) + 1), 600, MAX_WAIT_SECONDS + 1),  # over the limit
        ("20", 10, 20),  # beyond the deadline
        ("864000", 600, MAX_PAUSE_SECONDS),
        ("9" * 400, 600, MAX_PAUSE_SECONDS),
    ],
)
def test_a_wait_that_does_not_fit_is_left_to_later_scans(header: str, seconds: float, pause: float) -> None:
    web = Web(answer(429, retry_after=header))
    found, client = get(web, seconds=seconds)
    assert isinstance(found, Fetched)
    assert found.status_code == 429
    assert pause - 5 < client.pause_seconds <= pause


def test_a_busy_host_that_names_no_time_is_not_asked_again() -> None:
    _, client = get(Web(answer(503)))
    assert client.pause_seconds == 0


def test_a_wait_ends_when_the_scan_is_called_off() -> None:
    web = Web(answer(429, retry_after="25"))
    found, _ = get(web, stop=True)
    assert isinstance(found, FetchFailure)
    assert (found.code, found.status_code) == (ErrorCode.CANCELLED, 429)


def test_two_pages_of_a_host_are_kept_apart_from_the_end_of_the_first() -> None:
    web = Web(answer(), answer())
    client = polite(web)
    for _ in range(2):
        client.get(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, SHORT))
    assert web.gap >= SHORT
    assert 0 < client.pause_seconds <= SHORT


def test_pages_of_two_hosts_do_not_wait_for_each_other() -> None:
    client = polite(Web())
    assert client.hold(URL, 3600) is None
    assert client.hold("https://other.example/", 3600) is None


def test_a_first_page_waits_for_nothing_and_the_delay_is_handed_on() -> None:
    found, client = get(Web(answer()), delay=25)
    assert isinstance(found, Fetched)
    assert 20 < client.pause_seconds <= 25


@pytest.mark.parametrize(
    ("delay", "seconds", "code"),
    [
        (MAX_WAIT_SECONDS + 1, 600, ErrorCode.ROBOTS_DENIED),
        (MAX_WAIT_SECONDS, 10, ErrorCode.TIMEOUT),
        (3600, 10, ErrorCode.ROBOTS_DENIED),
    ],
)
def test_a_delay_that_does_not_fit_refuses_the_second_page(delay: float, seconds: float, code: ErrorCode) -> None:
    client = polite(Web(), seconds=seconds)
    assert client.hold(URL, delay) is None
    refused = client.hold(URL + "en/", delay)
    assert refused is not None
    assert (refused.code, refused.url) == (code, URL + "en/")
    assert f"{delay:g} seconds" in refused.message


def test_a_busy_answer_stands_when_the_delay_leaves_no_time_for_a_second_try() -> None:
    web = Web(answer(429, retry_after="0"))
    found, _ = get(web, delay=3600)
    assert isinstance(found, Fetched)
    assert found.status_code == 429


def test_a_host_that_put_its_robots_txt_off_is_not_asked_for_a_page() -> None:
    web = Web(answer(429, retry_after="300"))
    client = polite(web)
    client.get(URL + "robots.txt", deadline=time.monotonic() + 60)
    refused = client.hold(URL, None)
    assert refused is not None
    assert refused.code is ErrorCode.HTTP_ERROR


def test_waiting_between_pages_ends_when_the_scan_is_called_off() -> None:
    client = polite(Web(), stop=True)
    assert client.hold(URL, 20) is None
    refused = client.hold(URL, 20)
    assert refused is not None
    assert refused.code is ErrorCode.CANCELLED


def test_a_fetch_that_raises_gives_its_host_back() -> None:
    times = HostTimes()
    first, second = (PoliteClient(web, time.monotonic() + 1, lambda: False, times) for web in (Web(), Web(answer())))
    with pytest.raises(IndexError):  # the web has no answer
        first.get(URL, deadline=time.monotonic() + 1, allow=lambda url: first.hold(url, SHORT))
    found = second.get(URL, deadline=time.monotonic() + 1, allow=lambda url: second.hold(url, SHORT))
    assert isinstance(found, Fetched)


def stream(web: Web, *, delay: float | None = None) -> tuple[list[int], PoliteClient]:
    """The statuses of two files read one after the other."""
    client, statuses = polite(web), list[int]()
    deadline = time.monotonic() + 60
    for _ in range(2):
        with client.stream(URL, deadline=deadline, allow=lambda url: client.hold(url, delay)) as found:
            assert isinstance(found, Streamed)
            statuses.append(found.status_code)
    return statuses, client


def test_a_stream_that_was_put_off_is_asked_for_once_more_and_the_first_is_let_go() -> None:
    web = Web(answer(503, retry_after="1"), answer(), answer(429, retry_after="40"))
    statuses, client = stream(web)
    assert statuses == [200, 429]
    assert (web.open, len(web.asked)) == (0, 3)
    assert web.gap >= 1
    assert 35 < client.pause_seconds <= 40


def test_a_delay_runs_from_the_end_of_a_stream() -> None:
    client = polite(web := Web(answer(), answer()))
    with client.stream(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, SHORT)):
        assert client.times.begin("shop.example", alone=False) is False
        time.sleep(2 * SHORT)
        ended = time.monotonic()
    with client.stream(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, SHORT)):
        assert web.asked[1][1] - ended >= SHORT


def test_a_stream_that_may_not_begin_is_its_failure() -> None:
    client = polite(Web(answer()))
    with client.stream(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, 3600)) as first:
        assert isinstance(first, Streamed)
    with client.stream(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, 3600)) as second:
        assert isinstance(second, FetchFailure)
        assert second.code is ErrorCode.ROBOTS_DENIED


def test_a_reader_that_raises_gives_its_host_back() -> None:
    client = polite(Web(answer()))
    with (
        pytest.raises(LookupError),
        client.stream(URL, deadline=time.monotonic() + 9, allow=lambda url: client.hold(url, SHORT)),
    ):
        raise LookupError
    assert client.times.begin("shop.example", alone=True)
