"""Idempotency keys: a request that is sent again is carried out once, and answered the second time as the first.

Every POST that starts work is held to this; which those are, the OpenAPI document says.
"""

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from conftest import TestDatabase
from integration.api.conftest import SCAN, Client, refused
from integration.api.guarantees.starts import POSTS, STARTING, Killed, Start, Witness, accepted, prepared
from scrapersky.api import responses
from scrapersky.db import idempotency as db_keys
from scrapersky.db import outbox as db_outbox
from scrapersky.db.connection import Database
from scrapersky.services import outbox, sweep

FOREVER = float("inf")


def test_every_post_that_starts_work_takes_a_key_and_no_other_does() -> None:
    def takes_a_key(operation: dict[str, Any]) -> bool:
        return "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", ())}

    assert [path for path, operation in POSTS.items() if takes_a_key(operation)] == STARTING


def test_the_same_request_is_answered_as_the_first_time_and_starts_nothing(start: Start, witness: Witness) -> None:
    first = accepted(start.send())
    done = witness.work(start.client)
    witness.sent(start.client)
    assert accepted(start.send()) == first
    assert witness.work(start.client) == done
    assert witness.sent(start.client) == []


def test_what_the_body_says_counts_and_not_how_it_is_spelled(client: Client) -> None:
    first = client.start({"base_url": "a.example", "max_pages": 3}, key="k")
    spelled = '{ "max_pages":3,"base_url" : "\\u0061.example" }'
    again = client.call("POST", f"{SCAN}/scan", body=spelled, headers={"idempotency-key": "k"})
    assert accepted(again) == accepted(first)


def test_another_body_under_the_key_is_refused(start: Start, witness: Witness) -> None:
    first = accepted(start.send())
    done = witness.work(start.client)
    problem = refused(start.send(other=True), 422, "idempotency_key_reused")
    assert problem["errors"][0]["loc"] == ["header", "Idempotency-Key"]
    assert witness.work(start.client) == done
    assert accepted(start.send()) == first


def test_another_route_under_the_key_is_refused(start: Start, witness: Witness) -> None:
    """The route is a part of what the key stands for: there the same body asks for something else."""
    others = [prepared(start.client, path) for path in STARTING]  # a retry of something else is another route, too
    accepted(start.send())
    done = witness.work(start.client)
    for other in others:
        if other.target != start.target:
            refused(other.send(), 422, "idempotency_key_reused")
    assert witness.work(start.client) == done


def test_another_tenants_key_is_another_key(start: Start, witness: Witness) -> None:
    stranger = start.of_someone_else()
    before = witness.work(stranger.client)
    mine, theirs = accepted(start.send()), accepted(stranger.send(other=True))
    assert witness.work(stranger.client) != before
    assert (accepted(start.send()), accepted(stranger.send(other=True))) == (mine, theirs)
    assert mine != theirs


def test_a_request_that_was_refused_leaves_its_key_free(start: Start, postgres: TestDatabase) -> None:
    accepted(start.send("first"))
    if start.path.endswith("/retry"):
        assert start.send().status == 409  # it is under way
    else:
        headers = {"idempotency-key": "k"}
        assert start.client.call("POST", start.target, json_body=start.senseless, headers=headers).status == 422
    held = "select key from scrapersky.idempotency_keys where tenant_id = %s"
    assert postgres.rows(held, start.client.tenant_id) == [("first",)]


def test_a_key_holds_for_a_day_and_is_free_then(start: Start, witness: Witness, postgres: TestDatabase) -> None:
    def let_expire(after: timedelta) -> None:
        postgres.rows(
            "update scrapersky.idempotency_keys set expires_at = now() + %s where tenant_id = %s",
            after,
            start.client.tenant_id,
        )

    first = accepted(start.send())
    held = "select expires_at - created_at from scrapersky.idempotency_keys where tenant_id = %s"
    assert postgres.rows(held, start.client.tenant_id) == [(timedelta(hours=24),)]
    let_expire(timedelta(minutes=1))
    assert accepted(start.send()) == first
    let_expire(-timedelta(seconds=1))
    done = witness.work(start.client)
    again = start.send()
    if start.path.endswith("/retry"):
        assert again.status == 409  # a request of its own: what it asks for is under way
    else:
        accepted(again)
        assert witness.work(start.client) != done or start.path.endswith("{webhook_id}/replay")  # nothing is left to do


def test_a_key_is_visible_ascii_of_at_most_255_characters(start: Start, witness: Witness) -> None:
    before = witness.work(start.client)
    for key in ("", "x" * 256, "with space", "tab\t", "ü", "line\n", "\x7f", "\x00"):
        problem = refused(start.send(key), 422, "invalid")
        assert problem["errors"][0]["loc"] == ["header", "Idempotency-Key"]
    assert witness.work(start.client) == before


def test_any_such_key_is_taken_as_it_is(client: Client) -> None:
    for key in ("!", "~" * 255, "a,b", "%00", "';drop/**/table/**/scrapersky.jobs--"):
        first = accepted(client.start(key=key))
        assert accepted(client.start(key=key)) == first
        assert accepted(client.start(key=key[:-1] + "x")) != first


# --- a crash on the way ---


CRASHES: dict[str, tuple[ModuleType, str]] = {
    "before the commit": (db_keys, "take"),
    "before the message is sent": (outbox, "deliver"),
    "before the message is marked as sent": (db_outbox, "mark_sent"),
    "before the answer leaves": (responses, "answer"),
}
WITH_ITS_WORK_DONE = (db_keys, responses)
OF_MESSAGES = (outbox, db_outbox)


def crash(start: Start, module: ModuleType, name: str) -> Any:
    """Let the process of a request die in a function; return what that would have returned."""
    real = getattr(module, name)
    returned: list[Any] = []

    def deadly(*arguments: Any, **named: Any) -> None:
        returned.append(real(*arguments, **named) if module in WITH_ITS_WORK_DONE else None)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, deadly)
        with pytest.raises(Killed):
            start.send()
    return returned[0]


def test_after_a_crash_the_same_request_finds_its_work_done_once(
    start: Start, witness: Witness, postgres: TestDatabase, db: Database
) -> None:
    for moment, where in CRASHES.items():
        if where[0] in OF_MESSAGES and not start.owes:
            continue
        crashed, undisturbed = start.of_someone_else(), start.of_someone_else()
        before = witness.work(crashed.client)
        witness.sent(crashed.client)
        crash(crashed, *where)
        assert (witness.work(crashed.client) == before) == (moment == "before the commit"), moment

        answer = accepted(crashed.send())
        assert accepted(crashed.send()) == answer
        accepted(undisturbed.send())
        assert witness.work(crashed.client) == witness.work(undisturbed.client), moment
        postgres.rows("update scrapersky.outbox set held_until = now()")
        sweep.run(db, witness.queue.sender, deadline=FOREVER)
        assert len(set(witness.sent(crashed.client))) == start.is_told, moment


def test_an_answer_that_was_lost_comes_again_byte_for_byte(start: Start) -> None:
    lost = crash(start, *CRASHES["before the answer leaves"])
    again = start.send()
    assert (again.status, again.body) == (lost.status_code, lost.body)
    assert again.headers.get("location") == lost.headers.get("Location")
