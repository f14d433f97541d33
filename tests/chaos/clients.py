"""The clients of a run: they start scans and batches, ask again when they got no answer, cancel and retry."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

from chaos.faults import CLIENT, PUBLISHER, Fault, Plan
from chaos.hits import invoke
from chaos.ledger import BatchRequest, Ledger, Request
from chaos.messages import Queue
from chaos.processes import Outcome, Processes
from conftest import TestDatabase
from support import http_events
from support.crowd import DOMAIN as REAL

SCAN = "/api/v3/modernized_page_scraper/scan"
JOBS = "/api/v3/jobs"
BATCH = "/api/v3/batch_page_scraper/batch"
FIGURES = ("total_domains", "completed_domains", "failed_domains", "cancelled_domains")
MAX_PAGES = 3
HOT_HOSTS = 15  # sites that many jobs want: one at a time may fetch each
HOT_SHARE, REAL_SHARE, KEYED_SHARE = 0.08, 0.08, 0.8
BATCH_DOMAINS = 20
PUBLISHER_CHANCE, CLIENT_CHANCE = 0.2, 0.5
RECENT = 25  # jobs among which a client cancels: they are about to be worked off
ASK_AGAIN_SECONDS = 0.2


class Clients:
    """What clients do, one act a call."""

    def __init__(
        self,
        processes: Processes,
        plan: Plan,
        ledger: Ledger,
        scans: Queue,
        database: TestDatabase,
    ) -> None:
        self._processes = processes
        self._plan = plan
        self._ledger = ledger
        self._scans = scans
        self._database = database
        self._tenants = [uuid4() for _ in range(4)]

    def start_scan(self, number: int) -> None:
        """Ask until it is accepted: with the same key, or once more without one."""
        tenant_id = self._tenants[number % len(self._tenants)]
        key = f"request-{number}" if self._plan.chance(KEYED_SHARE) else None
        request = Request(number, tenant_id, key)
        with self._ledger.lock:
            self._ledger.requests.append(request)
        body = {"base_url": f"http://{self._domain(number)}/?request={number}", "max_pages": MAX_PAGES}
        headers = {"Idempotency-Key": key} if key else {}
        event = http_events.event("POST", SCAN, json_body=body, tenant_id=tenant_id, headers=headers)
        # Who has no key cannot ask again after a silence: such a client is only hit where it gets an answer.
        faults = PUBLISHER if key else {f: n for f, n in PUBLISHER.items() if "KILL" not in f.name}
        while True:
            request.asked += 1
            outcome = invoke(
                self._processes, self._plan, self._plan.draw(faults, PUBLISHER_CHANCE), "domain_scan_api", event
            )
            status, answer = _answer(outcome)
            if status == 202:
                self._ledger.accept(request, UUID(answer["job_id"]))
                return
            if status not in (None, 503):
                self._ledger.say("start", answer)
            time.sleep(ASK_AGAIN_SECONDS)

    def start_batch(self, number: int) -> None:
        """Ask under one batch_id until it is accepted."""
        tenant_id = self._tenants[number % len(self._tenants)]
        batch_id = uuid4()
        domains = [f"batch-{number}-{n}.example" for n in range(BATCH_DOMAINS - 1)] + ["no domain"]
        body = {"domains": domains, "max_pages": MAX_PAGES, "max_concurrent": 8, "batch_id": str(batch_id)}
        with self._ledger.lock:
            self._ledger.batches.append(BatchRequest(batch_id, tenant_id, len(domains)))
        event = http_events.event("POST", BATCH, json_body=body, tenant_id=tenant_id)
        while True:
            fault = self._plan.draw(PUBLISHER, PUBLISHER_CHANCE)
            status, answer = _answer(invoke(self._processes, self._plan, fault, "batch_scan_api", event))
            if status == 202:
                return
            if status not in (None, 503):
                self._ledger.say("start batch", answer)
            time.sleep(ASK_AGAIN_SECONDS)

    def interfere(self) -> None:
        """Cancel, retry or redrive something."""
        fault = self._plan.draw(CLIENT, CLIENT_CHANCE)
        if fault is Fault.REDRIVE:
            self._redrive()
        elif fault is Fault.RETRY_UNHEARD:
            self._retry(fault)
        elif fault is Fault.CANCEL_BATCH:
            self._cancel_batch(fault)
        elif fault is not None:
            self._cancel(fault)

    def watch(self) -> None:
        """Look at a batch as it stands: whatever is going on, its figures are those of its domains."""
        with self._ledger.lock:
            batches = list(self._ledger.batches)
        if batches:
            batch = batches[self._plan.whole(0, len(batches) - 1)]
            shown = self.figures(batch)
            if shown is not None:
                total, *ended = (shown[name] for name in FIGURES)
                is_over = shown["status"] in ("complete", "failed", "cancelled")
                if total != batch.domains or sum(ended) > total or is_over != (sum(ended) == total):
                    self._ledger.say("figures", shown)

    def figures(self, batch: BatchRequest) -> dict[str, Any] | None:
        """A batch as the API shows it; None when there is no answer."""
        event = http_events.event(
            "GET",
            f"{BATCH}/{batch.batch_id}/status",
            tenant_id=batch.tenant_id,
            route_key=f"GET {BATCH}/{{batch_id}}/status",
        )
        status, answer = _answer(self._processes.invoke("batch_scan_api", event))
        return answer if status == 200 else None

    def _domain(self, number: int) -> str:
        if self._plan.chance(HOT_SHARE):
            return f"hot-{number % HOT_HOSTS}.example"
        if self._plan.chance(REAL_SHARE):
            return f"site-{number:05}.{REAL}"
        return f"site-{number}.example"

    def _cancel(self, fault: Fault) -> None:
        known = self._ledger.recent(RECENT)
        if not known:
            return self._plan.undone(fault)
        job_id, tenant_id = known[self._plan.whole(0, len(known) - 1)]
        event = http_events.event("POST", f"{JOBS}/{job_id}/cancel", tenant_id=tenant_id)
        hit = fault if fault is Fault.CANCEL_UNHEARD else None
        status, answer = _answer(invoke(self._processes, self._plan, hit, "jobs_api", event, [job_id]))
        if status in (200, 409):
            with self._ledger.lock:
                self._ledger.cancelled.append((job_id, status))
        elif status not in (None, 503):
            self._ledger.say("cancel", answer)
        if hit is None:
            told = {200: "cancelled, and stayed so", 409: "too late: the worker's result stayed"}
            self._plan.done(fault, [job_id], told.get(status or 0))
        return None

    def _cancel_batch(self, fault: Fault) -> None:
        found = self._database.rows(
            "select distinct batch_id, tenant_id from scrapersky.jobs where status = 'running' and batch_id is not null"
        )
        if not found:
            return self._plan.undone(fault)
        batch_id, tenant_id = found[0]
        assert isinstance(tenant_id, UUID)
        event = http_events.event("POST", f"{BATCH}/{batch_id}/cancel", tenant_id=tenant_id)
        status, answer = _answer(self._processes.invoke("batch_scan_api", event))
        if status not in (200, 409, 503, None):
            self._ledger.say("cancel batch", answer)
        open_jobs = self._database.one(
            "select count(*) from scrapersky.jobs where batch_id = %s and finished_at is null", batch_id
        )
        if status == 200 and open_jobs != (0,):
            self._ledger.say("a cancelled batch has open jobs", open_jobs)
        self._plan.done(fault, note="nothing open after it" if status in (200, 409) else None)
        return None

    def _retry(self, fault: Fault) -> None:
        found = self._database.rows(
            "select id, tenant_id from scrapersky.jobs where status in ('failed', 'cancelled')"
            " order by finished_at desc limit 20"
        )
        if not found:
            return self._plan.undone(fault)
        job_id, tenant_id = found[self._plan.whole(0, len(found) - 1)]
        assert isinstance(job_id, UUID)
        assert isinstance(tenant_id, UUID)
        event = http_events.event("POST", f"{JOBS}/{job_id}/retry", tenant_id=tenant_id)
        status, answer = _answer(invoke(self._processes, self._plan, fault, "jobs_api", event, [job_id]))
        with self._ledger.lock:
            if status == 202:
                self._ledger.retried[job_id] += 1
            elif status != 409:
                self._ledger.retries_unclear.add(job_id)
        if status not in (202, 409, 503, None):
            self._ledger.say("retry", answer)
        return None

    def _redrive(self) -> None:
        """Hand the messages of final jobs to the consumer of dead letters, and put them back into the queue."""
        found = self._database.rows(
            "select id, tenant_id from scrapersky.jobs where finished_at is not null and batch_id is null"
            " order by random() limit 1"
        )
        if not found:
            return self._plan.undone(Fault.REDRIVE)
        (job_id, _) = found[0]
        assert isinstance(job_id, UUID)
        body = json.dumps({"version": 1, "job_id": str(job_id), "correlation_id": "redriven"})
        outcome = self._processes.invoke("dead_letter", {"Records": [{"messageId": "redriven", "body": body}]})
        self._scans.send(body)
        ended = (outcome.answer or {}).get("ended")
        self._plan.done(Fault.REDRIVE, [job_id], "ignored: final already" if ended == 0 else None)
        return None


def _answer(outcome: Outcome) -> tuple[int | None, Any]:
    """Status and body of an HTTP answer; None when the client gets none."""
    if outcome.answer is None:
        return None, outcome.error
    return outcome.answer["statusCode"], json.loads(outcome.answer["body"])
