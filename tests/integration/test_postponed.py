"""Jobs whose host is busy come again when it may be free, and what ended is told of while others are at work."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_work import found, run
from scrapersky.db import leases, outbox
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.domain.facts import SiteScan
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind
from scrapersky.scraping.fetch import Fetcher
from scrapersky.services import batch, putting_off, sitemap_work, sweep, work
from scrapersky.services.work import Control
from support import sitemap_scans
from support.fetching import AGENT, policy
from support.loopback import CLOSED_PORT, Listener
from support.sitemap_site import Anew, Page, Table, robots, urlset, xml

T = TypeVar("T")

LEASE = timedelta(seconds=60)
KINDS = pytest.mark.parametrize("kind", [JobKind.DOMAIN_SCAN, JobKind.SITEMAP_SCAN])


@pytest.fixture
def make(db: Database, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]) -> Callable[[JobKind], UUID]:
    """A job at one.example whose own message was taken off the queue."""

    def made(kind: JobKind) -> UUID:
        if kind is JobKind.DOMAIN_SCAN:
            job_id = make_job("one.example")
            queue.drain()
        else:
            job_id = sitemap_scans.start(db, queue, caller, domain="one.example")
            queue.drain_sitemaps()
        return job_id

    return made


def work_off(db: Database, queue: ScanQueue, kind: JobKind, job_id: UUID, *, broken: bool = False) -> list[UUID]:
    """What one invocation puts off."""
    sender = queue.broken_sender if broken else queue.sender
    if kind is JobKind.DOMAIN_SCAN:
        return run(db, job_id, sender=sender).postponed
    return sitemap_scans.work(db, 1, job_id, sender=sender).postponed


def seconds_until_due(postgres: TestDatabase, job_id: UUID) -> list[tuple[float, float, bool]]:
    """Of the messages owed last: until they are due, from then until the sweep may send them, whether they were."""
    rows = postgres.rows(
        "select extract(epoch from due_at - created_at), extract(epoch from held_until - due_at), sent_at is not null"
        " from scrapersky.outbox where job_id = %s order by id offset 1",
        job_id,
    )
    return [(float(str(due)), float(str(held)), bool(sent)) for due, held, sent in rows]


def once_paused_anew(postgres: TestDatabase, seconds: float, step: Callable[..., T]) -> Callable[..., T]:
    """The step, at whose beginning the hosts that are left alone are so from now on."""

    def begun_anew(*arguments: Any, **options: Any) -> T:
        postgres.rows("update scrapersky.host_leases set until = now() + %s where is_pause", timedelta(seconds=seconds))
        return step(*arguments, **options)

    return begun_anew


def delayed(queue: ScanQueue, kind: JobKind) -> int:
    """The messages that a queue hands out later."""
    url = queue.url if kind is JobKind.DOMAIN_SCAN else queue.sitemap_url
    answer = queue.client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    return int(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"])


@KINDS
def test_the_message_of_a_job_whose_host_is_busy_goes_at_once_and_comes_later(
    kind: JobKind, db: Database, postgres: TestDatabase, queue: ScanQueue, make: Callable[[JobKind], UUID]
) -> None:
    first, second = make(kind), make(kind)
    leases.claim(db, [first], kind=kind, token=uuid4(), lease=LEASE)
    assert work_off(db, queue, kind, second) == [second]
    ((due, _, is_sent),) = seconds_until_due(postgres, second)
    assert 5 < due <= 10
    assert is_sent
    assert (queue.drain(), queue.drain_sitemaps(), delayed(queue, kind)) == ([], [], 1)


@KINDS
@pytest.mark.parametrize(("pause", "expected"), [(0.9, 1), (7, 7), (600, 600), (5000, 900)])
def test_a_job_whose_host_is_left_alone_comes_when_that_is_over(
    kind: JobKind,
    pause: float,
    expected: int,
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    make: Callable[[JobKind], UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, token = make(kind), make(kind), uuid4()
    leases.claim(db, [first], kind=kind, token=token, lease=LEASE)
    leases.leave_alone(db, first, token=token, pause=timedelta(seconds=pause))
    for step in ("claim", "postpone"):  # however late they come, the pause has just begun
        monkeypatch.setattr(leases, step, once_paused_anew(postgres, pause, getattr(leases, step)))
    assert work_off(db, queue, kind, second) == [second]
    ((due, _, is_sent),) = seconds_until_due(postgres, second)
    assert expected - 2 < due <= expected
    assert is_sent


def test_a_message_that_was_put_off_comes_by_itself(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    make_job: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(putting_off, "POSTPONE", timedelta(seconds=1))
    first, second = make_job("one.example"), make_job("one.example")
    queue.drain()
    leases.claim(db, [first], token=uuid4(), lease=LEASE)
    assert run(db, second, sender=queue.sender).postponed == [second]
    deadline = time.monotonic() + 10
    while not (came := queue.drain()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [body["job_id"] for body in came] == [str(second)]
    postgres.rows("update scrapersky.host_leases set until = now()")  # the first one's time is over
    assert [job.id for job, _ in run(db, second, sender=queue.sender).stored] == [second]


@KINDS
def test_what_the_queue_does_not_take_is_the_sweeps(
    kind: JobKind, db: Database, postgres: TestDatabase, queue: ScanQueue, make: Callable[[JobKind], UUID]
) -> None:
    first, second = make(kind), make(kind)
    leases.claim(db, [first], kind=kind, token=uuid4(), lease=LEASE)
    assert work_off(db, queue, kind, second, broken=True) == [second]
    ((_, held, is_sent),) = seconds_until_due(postgres, second)
    assert (held, is_sent) == (outbox.HOLD.total_seconds(), False)
    sweep.run(db, queue.sender, deadline=threading.TIMEOUT_MAX)
    assert queue.drain() + queue.drain_sitemaps() == []  # not yet: it is the sender's until it is due, and a while
    postgres.rows("update scrapersky.outbox set held_until = now() where sent_at is null")
    sweep.run(db, queue.sender, deadline=threading.TIMEOUT_MAX)
    assert [body["job_id"] for body in queue.drain() + queue.drain_sitemaps()] == [str(second)]


def test_a_batch_s_job_is_owed_none(db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller) -> None:
    started = batch.start(
        db, queue.sender, caller, kind=JobKind.DOMAIN_SCAN, domains=["one.example"], max_pages=1,
        max_concurrent=1, batch_id=None, idempotency=None,
    )  # fmt: skip
    (job,) = batch.snapshot(db, caller.tenant_id, started.batch_id)[1]
    assert job.job_id is not None
    assert leases.postpone(db, [job.job_id], pause=timedelta()) == []
    assert postgres.rows("select * from scrapersky.outbox where job_id = %s", job.job_id) == []


def test_what_ended_is_told_of_while_a_slow_site_is_at_work(
    db: Database, queue: ScanQueue, make_job: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "RENEW_SECONDS", 0.2)
    quick, slow = make_job("quick.example"), make_job("slow.example")
    heard: list[dict[str, Any]] = []

    def scan(job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        deadline = time.monotonic() + 10
        while job.id == slow and not heard and time.monotonic() < deadline:
            heard.extend(queue.drain_events())
            time.sleep(0.1)
        return found()

    tally = run(db, quick, slow, scan=scan, sender=queue.sender)
    assert {job.id for job, _ in tally.stored} == {quick, slow}
    assert len(heard) == 1
    assert len(queue.drain_events()) == 1  # of the slow one, at the end


def test_what_ended_is_told_of_while_a_large_site_is_read(
    db: Database, queue: ScanQueue, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap_work, "ASK_SECONDS", 0.2)
    heard: list[dict[str, Any]] = []

    def large() -> Iterator[bytes]:
        deadline = time.monotonic() + 10
        while not heard and time.monotonic() < deadline:
            heard.extend(queue.drain_events())
            time.sleep(0.1)
        yield xml(urlset(["http://slow.example/"]))

    files: dict[str, Page] = {"quick": xml(urlset(["http://quick.example/"])), "slow": Anew(large)}
    ids = [sitemap_scans.start(db, queue, caller, domain=f"{name}.example") for name in files]
    with ExitStack() as sites:
        rules = [f"*.example:443=127.0.0.1:{CLOSED_PORT}"]
        for name, file in files.items():
            table = Table({"/robots.txt": robots(f"http://{name}.example/sitemap.xml"), "/sitemap.xml": file})
            port = sites.enter_context(Listener(table, keep_alive=True)).port
            rules.append(f"{name}.example:80=127.0.0.1:{port}")
        tally = sitemap_work.work_off(
            db,
            ids,
            Fetcher(policy=policy("127.0.0.0/8", rules=tuple(rules)), user_agent=AGENT),
            queue.sender,
            lease=LEASE,
            concurrency=2,
            deadline=time.monotonic() + 60,
            in_batch=False,
        )
    assert sorted(tally.stored) == sorted(ids)
    assert len(heard) == 1
    assert len(queue.drain_events()) == 1  # of the slow one, at the end


def test_nobody_is_called_where_nothing_ended(db: Database, queue: ScanQueue, make_job: Callable[..., UUID]) -> None:
    first, second = make_job("one.example"), make_job("one.example")
    leases.claim(db, [first], token=uuid4(), lease=LEASE)
    run(db, second, sender=queue.sender)
    assert queue.drain_events() == []
