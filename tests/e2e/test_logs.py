"""What the running stack keeps of its functions: an object a line, and nothing that was said in confidence."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from e2e.conftest import RunningStack
from support.function_log import events, eventually

SCAN = "/api/v3/modernized_page_scraper/scan"
BATCH = "/api/v3/batch_page_scraper/batch"
JOBS = "/api/v3/jobs"
DOMAINS = "/api/v3/domains"
CONTROLS = "line\nbreak\r\x1b[2J\x9b31m\u2028\u0085\x00"


def function_names(aws: Callable[[str], Any]) -> list[str]:
    return [function["FunctionName"] for function in aws("lambda").list_functions()["Functions"]]


def test_what_callers_send_in_confidence_is_in_no_log(api: httpx.Client, stack: RunningStack) -> None:
    planted = f"pl4nted{uuid4().hex}"
    odd = f"{CONTROLS}{planted}"
    job = f"{JOBS}/{uuid4()}"
    bodies = [
        *(
            {"base_url": text}
            for text in (f"https://{planted}:{planted}@x.example/", f"x.example/?k={planted}#{planted}", odd)
        ),
        *({"base_url": "x.example", name: odd} for name in ("max_pages", "tenant_id", planted)),
    ]
    batches = [{"domains": ["x.example"], name: odd} for name in ("batch_id", "max_concurrent", "tenant_id", odd)]
    for headers in ({}, {"Idempotency-Key": planted}, {"Authorization": f"Bearer {planted}"}, {"Cookie": planted}):
        for path, asked in ((SCAN, bodies), (BATCH, [{"domains": [odd, f"{planted} {odd}"]}, *batches])):
            for body in asked:
                answer = api.post(path, params={"key": planted}, json=body, headers=headers)
                assert answer.status_code in (202, 401, 422), answer.text
    for name in ("domain", "status", "kind", "batch_id", "cursor", "limit"):
        assert api.get(JOBS, params={name: odd}).status_code == 422
    for path in (job, f"{job}/cancel", f"{JOBS}/{quote(odd)}", f"{DOMAINS}/{quote(odd)}", f"/{quote(odd)}"):
        assert api.post(path, json={"tenant_id": odd}).status_code in (404, 405, 422)
    eventually(stack.data_dir, lambda event: event.get("message") == "job started")
    kept = list(stack.data_dir.rglob("*.log"))
    assert {"functions.log", "aws.log", "postgres.log"} <= {path.name for path in kept}
    secrets = json.loads((stack.data_dir / "secrets.json").read_text("utf-8"))
    hidden = {planted, stack.info.token, secrets["jwt_secret"], secrets["app_password"]}
    assert [(path.name, text[:7]) for path in kept for text in hidden if text.encode() in path.read_bytes()] == []


def test_a_function_that_fails_is_told_in_objects_without_what_it_was_given(
    stack: RunningStack, aws: Callable[[str], Any]
) -> None:
    token = f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(uuid4().bytes).decode()}.c2lnbmF0dXJl"
    (name,) = (name for name in function_names(aws) if "BatchFinish" in name)
    event = {f"{CONTROLS}{token}": token, "run": str(uuid4()), "round": {token: CONTROLS}}
    answer = aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert "FunctionError" in answer
    assert token not in answer["Payload"].read().decode()
    # Other functions may fail while the stack is used by all tests, each in its turn.
    said = ("function failed", "batch_finish")
    failed = eventually(stack.data_dir, lambda event: (event.get("message"), event.get("service")) == said)
    assert (failed["level"], failed["exception_name"]) == ("ERROR", "KeyError")
    assert token not in json.dumps(events(stack.data_dir))
