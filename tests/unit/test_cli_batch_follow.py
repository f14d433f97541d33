"""The line that shows a running batch, and how often its figures are asked for."""

import io
from typing import Any

import httpx
import pytest
from rich.console import Console

from scrapersky_cli.client import BATCH_PACE_SECONDS, ApiClient
from scrapersky_cli.follow import batch_progress, show_figures

STATUS_URL = "http://127.0.0.1:8000/api/v3/batch_page_scraper/batch/b/status"


def batch(status: str, *, completed: int = 0, failed: int = 0, cancelled: int = 0) -> dict[str, Any]:
    return {
        "status": status,
        "total_domains": 100,
        "completed_domains": completed,
        "failed_domains": failed,
        "cancelled_domains": cancelled,
    }


def test_a_line_has_what_is_done_and_failed_the_rate_and_the_time_that_is_left() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    seconds = iter(range(1000))
    progress = batch_progress(console)
    progress.get_time = lambda: float(next(seconds))
    task = progress.add_task("batch pending", total=None, failed=0)
    for done in range(0, 50, 10):
        show_figures(progress, task, batch("running", completed=done, failed=8, cancelled=2))
    console.print(progress.get_renderable())
    line = " ".join(written.getvalue().split())
    assert "batch running" in line
    assert " 50/100 done 8 failed " in line
    assert "/s ETA 0:00:" in line


def test_a_pipe_gets_no_line() -> None:
    written = io.StringIO()
    progress = batch_progress(Console(file=written))
    with progress:
        show_figures(progress, progress.add_task("batch pending", total=None, failed=0), batch("running"))
    assert written.getvalue() == ""


@pytest.mark.parametrize("etag", [True, False])
def test_a_batch_that_changes_at_once_is_asked_for_at_a_pace(etag: bool) -> None:
    answers = iter([batch("pending"), batch("running", completed=1), batch("complete", completed=100)])
    pauses: list[float] = []
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=next(answers), headers={"ETag": f'"{len(asked)}"'} if etag else {})

    with ApiClient("http://127.0.0.1:8000", "t", transport=httpx.MockTransport(answer), sleep=pauses.append) as client:
        assert [document["status"] for document in client.follow_batch(STATUS_URL)] == [
            "pending",
            "running",
            "complete",
        ]
    assert len(pauses) == 2
    assert all(pause > BATCH_PACE_SECONDS * 0.8 for pause in pauses)
    assert [request.headers.get("If-None-Match") for request in asked] == ([None, '"1"', '"2"'] if etag else [None] * 3)
