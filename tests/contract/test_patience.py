"""How long a worker waits for the queue, against its leases in template.yaml."""

from typing import Any

import pytest

from contract import cloudformation as cfn
from scrapersky import wiring
from scrapersky.domain.status import JobKind


def test_a_queue_that_does_not_answer_costs_no_worker_its_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sends between two renewals of them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    wiring.sqs.cache_clear()
    config: Any = wiring.sqs().meta.config
    wiring.sqs.cache_clear()
    longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    leases = {
        name: int(value)
        for function in cfn.functions().values()
        for name, value in function["Environment"]["Variables"].items()
        if name.endswith("_LEASE_SECONDS")
    }
    assert len(leases) == len(JobKind) + 1  # and of deliveries
    assert all(longest < seconds / 3 for seconds in leases.values())
