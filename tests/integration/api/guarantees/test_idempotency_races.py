"""Idempotency keys at the same time: however many come at once, one of them is carried out and answers for all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from hashlib import sha256
from itertools import count
from typing import Any

import pytest

from conftest import TestDatabase
from integration.api.conftest import Client
from integration.api.guarantees.starts import Killed, Start, Witness, Work, accepted
from scrapersky.db import idempotency as db_keys
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.errors import IdempotencyKeyReused
from scrapersky.services import domain_scan
from support.http_events import Answered

CLIENTS, KEYS = 50, 100
WAIT_SECONDS = 60.0  # for a loaded machine; on an idle one it is never more than one


def kept(db: Database) -> Callable[[], AbstractContextManager[Database]]:
    """A way to the database that stays open between requests: to connect is most of what a repeated one costs."""
    return lambda: nullcontext(db)


def test_fifty_at_once_for_each_of_a_hundred_keys_start_a_hundred_jobs(
    client: Client, witness: Witness, postgres: TestDatabase
) -> None:
    together = threading.Barrier(CLIENTS)
    with ExitStack() as ends, ThreadPoolExecutor(CLIENTS) as pool:

        def send(_: int) -> list[Answered]:
            process = client.another_process()
            vars(process.scans)["database"] = kept(ends.enter_context(Database(postgres.app_dsn)))
            answers = []
            for number in range(KEYS):
                together.wait(WAIT_SECONDS)
                answers.append(process.start(key=f"key-{number}"))
            return answers

        by_client = list(pool.map(send, range(CLIENTS)))
    for answers in zip(*by_client, strict=True):
        assert {accepted(answer)[1] for answer in answers} == {answers[0].body}
    assert len({answer.json["job_id"] for answer in by_client[0]}) == KEYS
    assert witness.work(client) == Work(jobs=KEYS, retries=0, rounds=0, messages=KEYS)
    assert len(witness.sent(client)) == KEYS


def test_twenty_at_once_are_carried_out_once(start: Start, witness: Witness) -> None:
    undisturbed = start.of_someone_else()
    witness.sent(start.client)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: start.from_another_process().send(), range(20)))
    assert {accepted(answer)[1] for answer in answers} == {answers[0].body}
    assert len(witness.sent(start.client)) == start.is_told
    accepted(undisturbed.send())
    assert witness.work(start.client) == witness.work(undisturbed.client)


@pytest.mark.parametrize("dies", [False, True], ids=["commits", "dies"])
def test_whoever_comes_while_the_first_is_at_it_waits_for_what_becomes_of_it(
    start: Start, witness: Witness, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    real, calls = db_keys.take, count()
    entered, go_on = threading.Event(), threading.Event()

    def take(*arguments: Any) -> bool:
        is_taken = real(*arguments)
        if next(calls) == 0:
            entered.set()
            assert go_on.wait(WAIT_SECONDS)
            if dies:
                raise Killed
        return is_taken

    monkeypatch.setattr(db_keys, "take", take)
    before = witness.work(start.client)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(start.send)
        assert entered.wait(WAIT_SECONDS)
        second = pool.submit(start.from_another_process().send)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        assert witness.work(start.client) == before
        go_on.set()
        answer = accepted(second.result(WAIT_SECONDS))
        if dies:
            assert isinstance(first.exception(WAIT_SECONDS), Killed)
        else:
            assert accepted(first.result(WAIT_SECONDS)) == answer
    done = witness.work(start.client)
    assert accepted(start.send()) == answer
    assert witness.work(start.client) == done != before


def test_of_two_requests_that_race_for_a_key_one_is_carried_out_and_the_other_refused(
    client: Client, witness: Witness, postgres: TestDatabase
) -> None:
    """Below the handlers: see Client.another_process."""
    together = threading.Barrier(20)

    def send(number: int) -> Started | None:
        domain = f"site-{number % 2}.example"
        key = Idempotency("k", sha256(domain.encode()).digest())
        sender = witness.queue.sender
        with Database(postgres.app_dsn) as db:
            together.wait(WAIT_SECONDS)
            try:
                return domain_scan.start(
                    db, sender, Caller(client.tenant_id, "user-1"), base_url=domain, max_pages=1, idempotency=key
                )
            except IdempotencyKeyReused:
                return None

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    first, second = set(answers[::2]), set(answers[1::2])
    assert (len(first), len(second)) == (1, 1)
    assert (first == {None}) != (second == {None})
    assert witness.work(client) == Work(jobs=1, retries=0, rounds=0, messages=1)


def test_control_without_a_key_each_request_starts_work_of_its_own(client: Client, witness: Witness) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: client.another_process().start(), range(5)))
    assert len({accepted(answer)[1] for answer in answers}) == 5
    assert witness.work(client) == Work(jobs=5, retries=0, rounds=0, messages=5)
