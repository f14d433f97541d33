"""A stack's queues with dead-letter queues among them, in moto, and the commands run against them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scrapersky_cli import dead_letters, dlq_commands
from scrapersky_cli.cloud import Resource
from scrapersky_cli.dead_letters import DeadLetterQueue
from scrapersky_cli.main import app
from support.stubbed_cloud import cloud, cloudformation, opened, stubbed

QUEUE = "AWS::SQS::Queue"


def make_queues(sqs: Any) -> dict[str, str]:
    """Two queues with a dead-letter queue each, and one with none."""
    made = {}
    for name in ("Scan", "Batch", "Other"):
        made[name] = sqs.create_queue(QueueName=f"shop-{name}")["QueueUrl"]
        if name != "Other":
            made[f"{name}Dead"] = sqs.create_queue(QueueName=f"shop-{name}Dead")["QueueUrl"]
            policy = {"deadLetterTargetArn": arn(sqs, made[f"{name}Dead"]), "maxReceiveCount": 1}
            sqs.set_queue_attributes(QueueUrl=made[name], Attributes={"RedrivePolicy": json.dumps(policy)})
    return made


def arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def resources(urls: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {f"{name}Queue": (QUEUE, url) for name, url in urls.items()}


def run(monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str], *arguments: str, **more: Any) -> Result:
    made = cloud(cloudformation=cloudformation(resources(urls)), sqs=sqs, **more)
    monkeypatch.setattr(dlq_commands, "open_cloud", opened(made))
    return CliRunner().invoke(app, ["dlq", *arguments])


def ages(*values: float) -> Any:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    results = [{"Id": f"m{n}", "Timestamps": [at], "Values": [value]} for n, value in enumerate(values)]
    return stubbed("cloudwatch", ("get_metric_data", {"MetricDataResults": results}))


def dead(sqs: Any, urls: dict[str, str], name: str = "Batch") -> DeadLetterQueue:
    listed = [Resource(QUEUE, f"{key}Queue", url) for key, url in urls.items()]
    (found,) = (one for one in dead_letters.find(sqs, listed) if one.queue.logical_id == f"{name}DeadQueue")
    return found


def bodies(sqs: Any, url: str) -> list[str]:
    """What is in a queue, taken out of it."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return sorted(found)


def fill(sqs: Any, url: str, count: int) -> list[str]:
    texts = sorted(f"message {number}" for number in range(count))
    for text in texts:
        sqs.send_message(QueueUrl=url, MessageBody=text)
    return texts
