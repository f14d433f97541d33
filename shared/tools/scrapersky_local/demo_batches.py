"""The demonstration's batches: one by an HTTP request, one by a queue message, both held to the manifest."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from scrapersky.domain.limits import DEFAULT_PAGES
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.queues import MESSAGE_VERSION
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.errors import Refused
from scrapersky_cli.render import add_row, number, status_text, table
from scrapersky_local.clients import local_client
from scrapersky_local.demo_web.sites import Site, differences
from scrapersky_local.deploy import STACK
from scrapersky_local.processes import StackError
from scrapersky_local.state import StackInfo
from scrapersky_local.tokens import bearer_of

NO_DOMAIN = "no domain"  # lists that people send have some
CONCURRENT = 20
PATIENCE_SECONDS = 45.0  # a batch that is not over by then never will be: the slowest site takes three
KNOWN_SECONDS = 20.0  # from a message to its batch: a receive, a cold start and a transaction
_AWS_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What a batch came to, and in what it differs from what the manifest says of its sites."""

    started_by: str
    document: Document
    differences: Sequence[str]


def run_batches(client: ApiClient, stack: StackInfo, sites: Sequence[Site]) -> list[BatchOutcome]:
    """All sites as a batch over HTTP, with a duplicate and something that is no domain; then all by a message."""
    hosts = [site.host for site in sites]
    given = [*hosts, f"https://www.{hosts[0]}/", NO_DOMAIN]
    accepted = client.start_batch(given, max_pages=DEFAULT_PAGES, max_concurrent=CONCURRENT)
    described = {site.host: site.expect for site in sites}
    by_request = BatchOutcome("an HTTP request", *end_of(client, accepted.work_id, expected(described, [NO_DOMAIN])))
    batch_id = send_request(stack, hosts)
    _wait_until_known(client, batch_id)
    by_message = BatchOutcome("a queue message", *end_of(client, batch_id, expected(described, [])))
    return [by_request, by_message]


def send_request(stack: StackInfo, domains: Sequence[str]) -> UUID:
    """Ask for a batch as another system would, by a message on the batch queue; the id that the batch will have."""
    batch_id = uuid4()
    request = {
        "version": MESSAGE_VERSION,
        "tenant_id": bearer_of(stack.token).tenant_id,
        "domains": list(domains),
        "max_pages": DEFAULT_PAGES,
        "max_concurrent": CONCURRENT,
        "batch_id": str(batch_id),
    }
    address = (stack.aws_endpoint_url, stack.region)
    try:
        stacks = local_client("cloudformation", *address, answer_seconds=_AWS_SECONDS).describe_stacks(StackName=STACK)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks["Stacks"][0]["Outputs"]}
        queue = local_client("sqs", *address, answer_seconds=_AWS_SECONDS)
        queue.send_message(QueueUrl=outputs["BatchQueueUrl"], MessageBody=json.dumps(request))
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"the stack's batch queue takes no message: {error}") from error
    return batch_id


def expected(described: Mapping[str, Mapping[str, Any]], no_domains: Sequence[str]) -> dict[str, Any]:
    """The part of a batch's document that follows from what the manifest says of each host's job."""
    states: dict[str, Any] = {
        host: {key: job[key] for key in ("status", "error") if key in job} for host, job in described.items()
    }
    invalid = {"status": JobStatus.FAILED.value, "error": {"code": ErrorCode.INVALID_DOMAIN.value}}
    states |= dict.fromkeys(no_domains, invalid)
    counts = Counter(state["status"] for state in states.values())
    return {
        "status": JobStatus.COMPLETE.value,
        "total_domains": len(states),
        "completed_domains": counts[JobStatus.COMPLETE],
        "failed_domains": counts[JobStatus.FAILED],
        "cancelled_domains": counts[JobStatus.CANCELLED],
        "progress": 100.0,
        "domain_statuses": states,
    }


def end_of(client: ApiClient, batch_id: UUID | str, manifest: dict[str, Any]) -> tuple[Document, list[str]]:
    """The batch as it stands at its end, or when patience ended, and in what it is not as the manifest says."""
    for _ in client.follow_batch(client.batch_url(batch_id), patience=PATIENCE_SECONDS):
        pass
    document = client.batch(batch_id)
    return document, differences(manifest, document)


def batches_view(outcomes: Sequence[BatchOutcome]) -> Table:
    """The figures of the batches, a row each."""
    made = table("Batches", "Started by", "Status", "Domains", "Complete", "Failed", "Seconds")
    for one in outcomes:
        counts = (one.document.get(f"{name}_domains") for name in ("total", "completed", "failed"))
        seconds = f"{number(one.document, 'processing_time'):.1f}"
        add_row(made, (one.started_by, status_text(one.document), *counts, seconds))
    return made


def _wait_until_known(client: ApiClient, batch_id: UUID) -> None:
    """Wait until the message has become a batch. Raises the API's refusal when it does not."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while True:
        try:
            client.batch(batch_id)
            return
        except Refused as refusal:
            if refusal.status != httpx.codes.NOT_FOUND or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)
