"""Joins settings and services for the handlers: each function builds here what it hands down.

boto3 is loaded when the first secret or message needs it, never at import.
"""

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from scrapersky.db.connection import Database
from scrapersky.errors import ConfigurationError
from scrapersky.queues import Sender
from scrapersky.settings import DatabaseSettings, QueueSettings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SECRET_SECONDS = 300  # a rotated secret is in use after five minutes at the latest

_secrets: dict[str, tuple[float, str]] = {}


def secret(arn: str) -> str:
    """The secret's text, from Secrets Manager, kept for SECRET_SECONDS.

    Raises:
        ConfigurationError: the secret is not there, not readable or empty. Its content is never told.
    """
    now = time.monotonic()
    known = _secrets.get(arn)
    if known is not None and now - known[0] < SECRET_SECONDS:
        return known[1]
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        text = boto3.client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "").strip()
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"secret {arn} cannot be read: {type(error).__name__}") from error
    if not text:
        raise ConfigurationError(f"secret {arn} is empty")
    _secrets[arn] = (now, text)
    return text


def database() -> Database:
    """A database for one invocation; it connects when it is first used."""
    return Database(secret(DatabaseSettings.from_env(os.environ).secret_arn))


@cache
def sender() -> Sender:
    """The process's sender to the queues."""
    return Sender(_sqs, QueueSettings.from_env(os.environ).urls)


@cache
def _sqs() -> "SQSClient":
    import boto3

    return boto3.client("sqs")
