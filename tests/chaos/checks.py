"""What must hold of the rows, whatever was done to the system. Each check is one question to the database."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from chaos import clock, scans
from chaos.clients import FIGURES, Clients
from chaos.ledger import Ledger
from conftest import TestDatabase

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold: for how many rows, and some of them."""

    rule: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule}: {self.count}, as {'; '.join(self.examples)}"


# Rule -> the rows that break it. `final` are the audit's moves into a final status.
_RULES = {
    "every job is final": "select id, status, attempt from scrapersky.jobs where finished_at is null",
    "a final row changes by a retry alone": """
        select job_id, was, now from chaos.moves
        where changed and was in ('complete', 'failed', 'cancelled')
          and not (was in ('failed', 'cancelled') and now = 'pending')
    """,
    "a result is stored under the token that holds the lease": """
        select job_id, writer, token from chaos.moves
        where now in ('complete', 'failed') and was = 'running' and token is not null
          and writer is distinct from token::text
    """,
    "whoever stored had made the last claim": """
        select m.job_id, m.token, claim.token as claimed from chaos.moves as m,
        lateral (
          select token from chaos.moves as c
          where c.job_id = m.job_id and c.n < m.n and c.now = 'running' and c.token is distinct from c.old_token
          order by c.n desc limit 1
        ) as claim
        where m.now in ('complete', 'failed') and m.was = 'running' and m.token is not null
          and claim.token is distinct from m.token
    """,
    "one final status between two beginnings": """
        select job_id, count(*) filter (where now in ('complete', 'failed', 'cancelled') and was <> now) as ends,
               count(*) filter (where was is null or (was in ('failed', 'cancelled') and now = 'pending')) as begun
        from chaos.moves group by job_id
        having count(*) filter (where now in ('complete', 'failed', 'cancelled') and was is distinct from now)
          <> count(*) filter (where was is null or (was in ('failed', 'cancelled') and now = 'pending'))
    """,
    "every end is an event, once": """
        select m.job_id, m.ends, coalesce(e.told, 0) as told
        from (
          select job_id, count(*) filter (
            where now in ('complete', 'failed', 'cancelled') and was is distinct from now) as ends
          from chaos.moves group by job_id
        ) as m
        left join (
          select job_id, count(*) as told from scrapersky.events where job_id is not null group by job_id
        ) as e using (job_id)
        where m.ends <> coalesce(e.told, 0)
    """,
    "every result names its writer, in each of its rows": """
        select j.id, j.domain from scrapersky.jobs as j
        where j.status = 'complete' and (j.metadata ->> 'writer' is distinct from j.lease_token::text
          or j.domain not like '%crowd.example' and (
            j.result -> 'site_data' ->> 'title' is distinct from j.lease_token::text
            or exists (select from scrapersky.facts as f where f.job_id = j.id
                       and split_part(f.value, '.', 1) <> j.lease_token::text)
            or exists (select from scrapersky.pages as p where p.job_id = j.id and p.title <> j.lease_token::text)))
    """,
    "a kept page or fact is never rewritten": "select job_id, source from chaos.kept where operation = 'UPDATE'",
    "only a lost worker or a dead letter ends a job without a result": """
        select id, attempt, error_message from scrapersky.jobs
        where error_code = 'worker_lost' and error_message like 'its worker was lost%' and attempt < 3
    """,
    "what a site failed with is told": """
        select id, error_code from scrapersky.jobs
        where status = 'failed' and error_code not in ('timeout', 'worker_lost', 'invalid_domain')
    """,
    "a domain shows the facts of one of its complete jobs": """
        select d.domain from scrapersky.domains as d
        left join scrapersky.jobs as j on j.id = d.job_id and j.status = 'complete' and j.domain = d.domain
        where d.site_data is not null and (j.id is null or d.site_data <> j.result -> 'site_data')
    """,
    "nothing is owed": """
        select id, job_id, batch_id, tries, held_until - now() as due_in, now() - created_at as age
        from scrapersky.outbox where sent_at is null
    """,
}


def check_quiet(database: TestDatabase, in_queue: set[UUID]) -> list[Violation]:
    """After the faults and two sweeps: nothing is owed, and who waits is either in a queue or not yet missed."""
    owed = _found("two sweeps after the faults nothing is owed", database, _RULES["nothing is owed"])
    waiting = database.rows(
        "select id from scrapersky.jobs where status = 'pending' and batch_id is null and enqueued_at < now() - %s",
        clock.STRANDED_AFTER + 2 * clock.HOLD,
    )
    forgotten = [str(job_id) for (job_id,) in waiting if job_id not in in_queue]
    return owed + _violation("no job waits without a message", forgotten)


def check_all(database: TestDatabase, ledger: Ledger, clients: Clients) -> list[Violation]:
    """All rules, in the end."""
    found = [violation for rule, query in _RULES.items() for violation in _found(rule, database, query)]
    return [
        *found,
        *_sizes(database),
        *_promises(database, ledger),
        *_cancelled(database, ledger),
        *_retries(database, ledger),
        *_batches(database, ledger, clients),
        *_violation("a client gets answers of the contract", ledger.odd),
    ]


def _sizes(database: TestDatabase) -> list[Violation]:
    """Each complete job has exactly its site's pages and facts, kept once since its last beginning; no other has any.

    Pages of a failed job are its scan's too, but no site of a run fails after a page.
    """
    rows = database.rows(
        """
        select j.id, j.domain, j.status,
               (select count(*) from scrapersky.pages as p where p.job_id = j.id),
               (select count(*) from scrapersky.facts as f where f.job_id = j.id),
               (select count(*) filter (where operation = 'INSERT') - count(*) filter (where operation = 'DELETE')
                from chaos.kept as k where k.job_id = j.id)
        from scrapersky.jobs as j
        """
    )
    wrong = []
    for job_id, domain, status, pages, facts, kept in rows:
        expected = scans.sizes(str(domain)) if status == "complete" else (0, 0)
        if (pages, facts) != expected or kept != sum(expected):
            wrong.append(f"{job_id} {domain} {status}: {pages} pages, {facts} facts, {kept} kept")
    return _violation("every result is there once and whole", wrong)


def _promises(database: TestDatabase, ledger: Ledger) -> list[Violation]:
    """One job for each accepted request, and no job of nobody's."""
    rows = database.rows(
        "select (regexp_match(metadata ->> 'base_url', 'request=(\\d+)'))[1]::int, id from scrapersky.jobs"
        " where batch_id is null"
    )
    made: dict[int, set[object]] = {}
    for number, job_id in rows:
        made.setdefault(int(str(number)), set()).add(job_id)
    lost, twice = [], []
    for request in ledger.requests:
        there = made.pop(request.number, set())
        lost += [f"request {request.number}: {job_id}" for job_id in request.job_ids - there]
        most = 1 if request.key else request.asked
        if not 1 <= len(there) <= most or len(request.job_ids) != 1:
            twice.append(f"request {request.number}, asked {request.asked} times: {len(there)} jobs")
    return [
        *_violation("an accepted job is there", lost),
        *_violation("a request makes one job", twice),
        *_violation("no job is nobody's", [str(jobs) for jobs in made.values()]),
    ]


def _cancelled(database: TestDatabase, ledger: Ledger) -> list[Violation]:
    statuses: dict[object, object] = {row[0]: row[1] for row in database.rows("select id, status from scrapersky.jobs")}
    reopened = {
        job_id for (job_id,) in database.rows("select job_id from chaos.moves where was = 'cancelled' and changed")
    }
    wrong = [
        f"{job_id} answered {answer}: {statuses[job_id]}"
        for job_id, answer in ledger.cancelled
        if job_id not in reopened
        and job_id not in ledger.retried
        and (statuses[job_id] == "cancelled") != (answer == 200)
    ]
    return _violation("cancelled stays cancelled, and what was refused is not", wrong)


def _retries(database: TestDatabase, ledger: Ledger) -> list[Violation]:
    begun = Counter(
        job_id
        for (job_id,) in database.rows(
            "select job_id from chaos.moves where was in ('failed', 'cancelled') and now = 'pending'"
        )
    )
    wrong = [
        f"{job_id}: {begun[job_id]} times for {ledger.retried[job_id]} retries"  # type: ignore[index]
        for job_id in {*begun, *ledger.retried}
        if job_id not in ledger.retries_unclear and begun[job_id] != ledger.retried[job_id]  # type: ignore[index]
    ]
    return _violation("a retry begins a job once", wrong)


def _batches(database: TestDatabase, ledger: Ledger, clients: Clients) -> list[Violation]:
    wrong = []
    for batch in ledger.batches:
        counted = database.one(
            "select count(*), count(*) filter (where status = 'complete'), count(*) filter (where status = 'failed'),"
            " count(*) filter (where status = 'cancelled') from scrapersky.jobs where batch_id = %s",
            batch.batch_id,
        )
        shown = clients.figures(batch)
        if shown is None or tuple(shown[name] for name in FIGURES) != counted or counted[0] != batch.domains:
            wrong.append(f"{batch.batch_id}: {shown} for {counted}"[:200])
    return _violation("a batch's figures are those of its rows", wrong)


def _found(rule: str, database: TestDatabase, query: str) -> list[Violation]:
    return _violation(rule, [" ".join(map(str, row)) for row in database.rows(query)])


def _violation(rule: str, cases: list[str]) -> list[Violation]:
    return [Violation(rule, len(cases), tuple(cases[:EXAMPLES]))] if cases else []
