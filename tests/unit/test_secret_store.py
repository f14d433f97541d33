"""Secrets: read seldom, kept through an outage of Secrets Manager, and given up when it says that they are gone."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from scrapersky import secret_store
from scrapersky.errors import ConfigurationError
from scrapersky.secret_store import ANSWER_SECONDS, RETRY_SECONDS, SECRET_SECONDS, TRIES, secret


def refusal(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetSecretValue")


OUTAGES = [
    EndpointConnectionError(endpoint_url="https://secretsmanager.example"),
    refusal("InternalServiceError", 500),
    refusal("ThrottlingException", 400),
]
REFUSALS = [refusal("ResourceNotFoundException", 400), refusal("AccessDeniedException", 400)]


class SecretsManager:
    """Holds one secret, counts who asks, and can be out of order; and a clock."""

    def __init__(self) -> None:
        self.arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{uuid4()}"
        self.text = "first"
        self.failure: Exception | None = None
        self.asked = 0
        self.limits: list[tuple[float, float, int]] = []
        self.now = 1000.0

    def client(self, _service: str, *, config: Any) -> "SecretsManager":
        self.limits.append((config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]))
        return self

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - as boto3 names it
        assert SecretId == self.arn
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return {"SecretString": f"{self.text}\n"}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    manager = SecretsManager()
    monkeypatch.setattr(boto3, "client", manager.client)
    monkeypatch.setattr("scrapersky.secret_store.time.monotonic", lambda: manager.now)
    yield manager
    secret_store._secrets.pop(manager.arn, None)


def test_a_secret_is_read_once_and_again_when_it_has_aged(manager: SecretsManager) -> None:
    assert [secret(manager.arn) for _ in range(3)] == ["first"] * 3
    manager.text = "second"
    manager.now += SECRET_SECONDS - 1
    assert (secret(manager.arn), manager.asked) == ("first", 1)
    manager.now += 1
    assert (secret(manager.arn), manager.asked) == ("second", 2)


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_known_secret_outlives_an_outage(manager: SecretsManager, outage: Exception) -> None:
    secret(manager.arn)
    manager.failure, manager.text = outage, "second"
    manager.now += SECRET_SECONDS
    assert [secret(manager.arn) for _ in range(3)] == ["first"] * 3
    assert manager.asked == 2  # those in between are answered at once

    manager.failure = None
    manager.now += RETRY_SECONDS
    assert secret(manager.arn) == "second"


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_secret_that_was_taken_away_is_gone(manager: SecretsManager, refused: Exception) -> None:
    secret(manager.arn)
    manager.failure = refused
    manager.now += SECRET_SECONDS
    with pytest.raises(ConfigurationError):
        secret(manager.arn)


@pytest.mark.parametrize("failure", [*OUTAGES, *REFUSALS])
def test_an_unknown_secret_that_cannot_be_read_is_an_error_that_tells_nothing(
    manager: SecretsManager, failure: Exception
) -> None:
    manager.failure = failure
    with pytest.raises(ConfigurationError, match=f"^secret {manager.arn} cannot be read: {type(failure).__name__}$"):
        secret(manager.arn)


def test_an_answer_is_waited_for_within_the_callers_limit(manager: SecretsManager) -> None:
    secret(manager.arn)
    manager.now += SECRET_SECONDS
    secret(manager.arn, answer_seconds=3.5)
    # A try connects, and then reads: both together take no longer.
    assert [(connect + read, tries) for connect, read, tries in manager.limits] == [
        (ANSWER_SECONDS, TRIES),
        (3.5, TRIES),
    ]


def test_an_empty_secret_is_an_error(manager: SecretsManager) -> None:
    manager.text = " "
    with pytest.raises(ConfigurationError, match="is empty"):
        secret(manager.arn)
