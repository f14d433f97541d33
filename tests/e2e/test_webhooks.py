"""Webhooks on a running stack: made from the command line, told of a scan, verified by the reference library."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from e2e.conftest import Hook, RunningStack
from support.cli_processes import Cli
from support.loopback import response
from support.webhook_receivers import OK, Request

WAIT_SECONDS = 30.0
URL = "http://hook.example/in"
GONE = response(status="410 Gone")
Seen = TypeVar("Seen")


@pytest.fixture
def cli(stack: RunningStack) -> Cli:
    return Cli(stack.data_dir)


@pytest.fixture
def made(cli: Cli, hook: Hook) -> Iterator[dict[str, Any]]:
    """A webhook of this test's own, with its secret."""
    webhook = cli.json("webhooks add", URL, "--event", "job.complete", "--description", "e2e")
    yield webhook
    hook.receiver.answer = lambda _: OK
    assert cli.run("webhooks remove", webhook["id"]).returncode == 0


def heard(hook: Hook, wanted: Callable[[Any], bool], *, times: int = 1) -> Request:
    """The last of so many requests whose body is wanted, as soon as there are as many."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = [request for request in list(hook.receiver.heard) if wanted(json.loads(request.body))]
        if len(found) >= times:
            return found[-1]
        time.sleep(0.05)
    return pytest.fail(f"not heard {times} times in {WAIT_SECONDS} s")


def stored(look: Callable[[], Seen], is_so: Callable[[Seen], bool]) -> Seen:
    """What is seen as soon as it is so: how a delivery went is stored after it was heard."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so(seen := look()):
        assert time.monotonic() < deadline, seen
    return seen


def verified(secret: str, request: Request) -> Any:
    return Webhook(secret).verify(request.body, request.headers)


def test_a_receiver_is_told_of_a_scan_and_verifies_it(
    cli: Cli, hook: Hook, api: httpx.Client, made: dict[str, Any]
) -> None:
    job = cli.json("scan", "quarry-pottery.example", "--max-pages", "1")

    def is_of_the_job(body: Any) -> bool:
        return bool(body["data"].get("job_id") == job["job_id"])

    request = heard(hook, is_of_the_job)
    told = verified(made["secret"], request)
    (event,) = cli.json("events", "--job", job["job_id"])["items"]
    assert (told["type"], str(request.event_id)) == ("job.complete", event["id"])
    assert told == {"type": event["type"], "timestamp": event["timestamp"], "data": event["data"]}
    ended = api.get(f"/api/v3/jobs/{job['job_id']}").raise_for_status().json()
    assert told["data"] == {name: ended[name] for name in told["data"]}
    assert request.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        verified("whsec_" + "A" * 44, request)

    (delivery,) = stored(
        lambda: cli.json("webhooks deliveries", made["id"], "--event-id", event["id"])["items"],
        lambda items: [item["status"] for item in items] == ["delivered"],
    )
    assert cli.run("webhooks replay", delivery["id"]).returncode == 0
    again = heard(hook, is_of_the_job, times=2)
    assert (again.event_id, again.body) == (request.event_id, request.body)
    assert verified(made["secret"], again) == told
    shown = stored(
        lambda: cli.run("webhooks show", delivery["id"]).stdout.splitlines(),
        lambda lines: lines[0].split()[1] == "delivered",
    )
    assert shown[0].split()[:3] == ["job.complete", "delivered", "2"]


def test_after_a_rotation_both_secrets_verify_and_no_other(cli: Cli, hook: Hook, made: dict[str, Any]) -> None:
    rotated = cli.json("webhooks rotate", made["id"])
    assert cli.run("webhooks test", made["id"]).returncode == 0
    request = heard(hook, lambda body: body["data"].get("webhook_id") == made["id"])
    assert request.is_signed_twice
    for secret in (made["secret"], rotated["secret"]):
        assert verified(secret, request)["type"] == "webhook.test"
    third = cli.json("webhooks rotate", made["id"])["secret"]
    with pytest.raises(WebhookVerificationError):
        verified(third, request)
    assert cli.run("webhooks test", made["id"]).returncode == 0
    latest = heard(hook, lambda body: body["data"].get("webhook_id") == made["id"], times=2)
    with pytest.raises(WebhookVerificationError):
        verified(made["secret"], latest)  # rotated twice, the first one is out
    for secret in (rotated["secret"], third):
        assert verified(secret, latest)


def test_a_receiver_that_is_gone_is_not_told_any_more_until_it_is_enabled(
    cli: Cli, hook: Hook, made: dict[str, Any]
) -> None:
    def gone_from_this_one(number: int) -> bytes:
        """What is told of another test's jobs leaves it enabled."""
        told = json.loads(hook.receiver.heard[number].body)["data"]
        return GONE if told.get("webhook_id") == made["id"] else OK

    hook.receiver.answer = gone_from_this_one
    ran = cli.run("webhooks test", made["id"])
    assert (ran.returncode, "410" in ran.stdout) == (1, True), ran
    assert "disabled (gone)" in cli.run("webhooks show", made["id"]).stdout
    ran = cli.run("webhooks test", made["id"])
    assert (ran.returncode, "409 webhook_disabled" in ran.stderr) == (1, True), ran
    hook.receiver.answer = lambda _: OK
    assert cli.json("webhooks update", made["id"], "--enable")["enabled"] is True
    assert cli.run("webhooks test", made["id"]).returncode == 0
