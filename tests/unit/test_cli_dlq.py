"""Dead-letter queues are listed, and what is in them is looked at without being touched."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from scrapersky_cli import dead_letters
from support.dead_queues import ages, bodies, fill, make_queues, run
from support.stubbed_cloud import client


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)  # moto's queues are empty when they say so
    with mock_aws():
        yield client("sqs")


@pytest.fixture
def urls(sqs: Any) -> dict[str, str]:
    return make_queues(sqs)


def test_the_dead_letter_queues_are_listed_with_their_sources_and_depths(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    fill(sqs, urls["BatchDead"], 3)
    ran = run(monkeypatch, sqs, urls, "list", "--json", cloudwatch=ages(75.0))
    assert ran.exit_code == 0, ran.output
    batch, scan = json.loads(ran.stdout)["items"]
    assert (batch["queue"], batch["sources"], batch["messages"], batch["oldest_age_seconds"]) == (
        "BatchDeadQueue", ["shop-Batch"], 3, 75.0,
    )  # fmt: skip
    assert (scan["queue"], scan["messages"], scan["oldest_age_seconds"]) == ("ScanDeadQueue", 0, None)
    assert "peeked" not in batch


def test_the_table_tells_an_age_only_when_it_is_known(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    fill(sqs, urls["BatchDead"], 3)
    for told, shown in (((3725.0,), "1:02:05"), ((), "not told")):
        ran = run(monkeypatch, sqs, urls, "list", cloudwatch=ages(*told))
        lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
        assert f"BatchDeadQueue 3 {shown} BatchQueue" in lines
        assert "ScanDeadQueue 0 ScanQueue" in lines


def test_messages_are_shown_and_stay_where_everybody_can_take_them(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    texts = fill(sqs, urls["BatchDead"], 23)
    attributes = {"reason": {"DataType": "String", "StringValue": "no\x1b[31m JSON"}}
    sqs.send_message(QueueUrl=urls["ScanDead"], MessageBody="{bad\x9b", MessageAttributes=attributes)
    ran = run(monkeypatch, sqs, urls, "list", "--messages", "12", "--json", cloudwatch=ages(1, 1))
    batch, scan = json.loads(ran.stdout)["items"]
    assert len({one["message_id"] for one in batch["peeked"]}) == 12
    assert {one["body"] for one in batch["peeked"]} <= set(texts)
    assert [(one["body"], one["attributes"]) for one in scan["peeked"]] == [("{bad\x9b", {"reason": "no\x1b[31m JSON"})]
    shown = run(monkeypatch, sqs, urls, "list", "--messages", "100", cloudwatch=ages(1, 1)).stdout
    assert "reason=no[31m JSON" in shown
    assert not {"\x1b", "\x9b"} & set(shown)
    assert all(text in shown for text in texts)
    assert bodies(sqs, urls["BatchDead"]) == texts
