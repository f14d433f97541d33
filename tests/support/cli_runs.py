"""Runs the CLI in this process against an API made of canned answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from scrapersky_cli.main import app
from scrapersky_cli.session import Session

API = "http://127.0.0.1:8000"
ENVIRON = {"SCRAPERSKY_API_URL": API, "SCRAPERSKY_TOKEN": "a-token"}
JOB_ID = "0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f"
STATUS_PATH = f"/api/v3/modernized_page_scraper/status/{JOB_ID}"

Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


class FakeApi:
    """`answers` maps `METHOD /path` to what is answered; anything else is a 404 problem."""

    def __init__(self, answers: Mapping[str, Answer], environ: Mapping[str, str] = ENVIRON) -> None:
        self._answers = answers
        self._environ = environ
        self.requests: list[httpx.Request] = []

    def run(self, *arguments: str, input: str | None = None) -> Result:
        session = Session(environ=self._environ, transport=httpx.MockTransport(self._answer), sleep=lambda _: None)
        return CliRunner().invoke(app, list(arguments), obj=session, input=input)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.get(f"{request.method} {request.url.path}")
        if answer is None:
            return problem(404, "not_found", "There is no such job.")
        return answer(request) if callable(answer) else answer


def problem(status: int, code: str, detail: str, **more: Any) -> httpx.Response:
    body = {"type": "about:blank", "title": "t", "status": status, "code": code, "detail": detail, **more}
    return httpx.Response(status, content=json.dumps(body), headers={"Content-Type": "application/problem+json"})


def job(status: str = "complete", **more: Any) -> dict[str, Any]:
    """A status document as the API has it."""
    document: dict[str, Any] = {
        "job_id": JOB_ID,
        "status": status,
        "domain": "shop.example",
        "progress": 100.0 if status == "complete" else 0.0,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:06Z",
        "started_at": "2026-01-02T03:04:05Z",
        "finished_at": None,
        "result": None,
        "error": None,
        "metadata": {},
    }
    return document | more


def result(**site_data: Any) -> dict[str, Any]:
    """A scan's result with these facts and no others."""
    return {
        "site_data": site_data,
        "pages": [{"url": "https://shop.example/", "status_code": 200, "bytes": 4321, "ms": 12}],
        "processing_metrics": {"pages_fetched": 1, "bytes_fetched": 4321, "processing_time": 0.4},
    }


ACCEPTED = {"job_id": JOB_ID, "status_url": f"{API}{STATUS_PATH}", "created_at": "2026-01-02T03:04:05Z"}
