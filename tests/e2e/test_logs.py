"""What the running stack keeps of its functions: an object a line, and nothing that was said in confidence."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

from e2e.conftest import RunningStack

SCAN = "/api/v3/modernized_page_scraper/scan"
WAIT_SECONDS = 30.0
CONTROLS = "line\nbreak\r\x1b[2J\x9b31m\u2028\u0085\x00"


def events(stack: RunningStack) -> list[dict[str, Any]]:
    """All that functions wrote so far."""
    text = (stack.data_dir / "functions.log").read_text("utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(event, dict) and event["service"] for event in found)
    return found


def eventually(stack: RunningStack, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        for event in events(stack):
            if wanted(event):
                return event
        assert time.monotonic() < deadline
        time.sleep(0.1)


def function_names(aws: Callable[[str], Any]) -> list[str]:
    return [function["FunctionName"] for function in aws("lambda").list_functions()["Functions"]]


def test_what_callers_send_in_confidence_is_in_no_log(api: httpx.Client, stack: RunningStack) -> None:
    planted = f"pl4nted{uuid4().hex}"
    for base_url in (f"https://{planted}:{planted}@shop.example/", f"x.example/?key={planted}#{planted}", CONTROLS):
        for headers in ({}, {"Idempotency-Key": planted}, {"Authorization": f"Bearer {planted}"}):
            answer = api.post(
                f"{SCAN}?key={planted}", json={"base_url": base_url}, headers={"Cookie": planted} | headers
            )
            assert answer.status_code in (202, 401, 422), answer.text
    api.post(SCAN, json={"base_url": "x.example", planted: planted})
    eventually(stack, lambda event: event.get("message") == "job started")
    kept = list(stack.data_dir.rglob("*.log"))
    assert {"functions.log", "aws.log", "postgres.log"} <= {path.name for path in kept}
    secrets = json.loads((stack.data_dir / "secrets.json").read_text("utf-8"))
    hidden = {planted, stack.info.token, secrets["jwt_secret"], secrets["app_password"]}
    assert {
        (path.name, secret[:7]) for path in kept for secret in hidden if secret.encode() in path.read_bytes()
    } == set()


def test_a_function_that_fails_is_told_in_objects_without_what_it_was_given(
    stack: RunningStack, aws: Callable[[str], Any]
) -> None:
    token = f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(uuid4().bytes).decode()}.c2lnbmF0dXJl"
    (name,) = (name for name in function_names(aws) if "BatchFinish" in name)
    event = {f"{CONTROLS}{token}": token, "run": str(uuid4()), "round": {token: CONTROLS}}
    answer = aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert "FunctionError" in answer
    assert token not in answer["Payload"].read().decode()
    failed = eventually(stack, lambda event: event.get("message") == "function failed")
    assert (failed["service"], failed["level"], failed["exception_name"]) == ("batch_finish", "ERROR", "KeyError")
    assert token not in (stack.data_dir / "functions.log").read_text("utf-8")
