"""Joins settings and services for the handlers: each function builds here what it hands down.

boto3 is loaded when the first secret or message needs it, the fetcher by who fetches; neither at import.
"""

import os
import time
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from scrapersky import __version__
from scrapersky.db.connection import Database
from scrapersky.errors import ConfigurationError
from scrapersky.queues import Sender
from scrapersky.settings import DatabaseSettings, FetchSettings, QueueSettings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from scrapersky.scraping.fetch import Fetcher

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


@cache
def fetcher() -> "Fetcher":
    """The process's fetcher: the public web alone, but for what a local stack names.

    Raises:
        ConfigurationError: a network, a rule or the file of authorities is not as it must be.
    """
    from scrapersky.scraping.fetch import Fetcher
    from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule

    settings = FetchSettings.from_env(os.environ)
    try:
        return Fetcher(
            policy=NetworkPolicy(
                allowed_networks=tuple(ip_network(network) for network in settings.allow_networks),
                resolve=tuple(parse_resolve_rule(rule) for rule in settings.resolve),
            ),
            user_agent=f"ScraperSky/{__version__} (+{settings.contact_url})",
            ca_file=settings.ca_file,
        )
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"the FETCH_ variables of the local stack cannot be used: {error}") from error
