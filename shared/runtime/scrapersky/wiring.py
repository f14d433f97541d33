"""Joins settings and services for the handlers: each function builds here what it hands down.

boto3 is loaded when a service of AWS is first called, the fetcher by who fetches; neither at import.
"""

import os
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from scrapersky import __version__
from scrapersky.db.connection import Database
from scrapersky.errors import ConfigurationError
from scrapersky.objects import ObjectStore
from scrapersky.queues import Sender
from scrapersky.secret_store import secret
from scrapersky.settings import (
    DatabaseSettings,
    EventBusSettings,
    ExportSettings,
    FetchSettings,
    PlacesWorkerSettings,
    QueueSettings,
    WebhookKeySettings,
)

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from scrapersky.event_bus import EventBus
    from scrapersky.places.client import PlacesClient
    from scrapersky.scraping.fetch import Fetcher


def database() -> Database:
    """A database for one invocation; it connects when it is first used."""
    return Database(secret(DatabaseSettings.from_env(os.environ).secret_arn))


@cache
def sender(*queues: str) -> Sender:
    """The process's sender to these queues (QUEUE_VARIABLES): a function names those it may send to."""
    return Sender(sqs, QueueSettings.from_env(os.environ, queues).urls)


@cache
def sqs() -> "SQSClient":
    import boto3

    from scrapersky.queues import ANSWER_SECONDS, CONNECT_SECONDS, TRIES

    return boto3.client("sqs", config=_limits(CONNECT_SECONDS, ANSWER_SECONDS, TRIES))


@cache
def s3() -> "S3Client":
    import boto3
    from botocore.config import Config

    # A presigned address must be of today's signature, and of the region's own host, which does not redirect.
    return boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


@cache
def exports() -> ObjectStore:
    """The process's store for answers that are too large for one."""
    return ObjectStore(s3, ExportSettings.from_env(os.environ).bucket)


@cache
def step_functions() -> "SFNClient":
    import boto3

    return boto3.client("stepfunctions")


@cache
def eventbridge() -> "EventBridgeClient":
    import boto3

    from scrapersky.event_bus import ANSWER_SECONDS, CONNECT_SECONDS, TRIES

    return boto3.client("events", config=_limits(CONNECT_SECONDS, ANSWER_SECONDS, TRIES))


def _limits(connect_seconds: float, answer_seconds: float, tries: int) -> "Config":
    """For a client of a service that must not be waited for."""
    from botocore.config import Config

    return Config(connect_timeout=connect_seconds, read_timeout=answer_seconds, retries={"total_max_attempts": tries})


def event_bus() -> "EventBus | None":
    """The bus that events are put on, for one invocation; None where none is named."""
    from scrapersky.event_bus import EventBus

    name = EventBusSettings.from_env(os.environ).name
    return EventBus(eventbridge, name) if name else None


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


def places_client() -> "PlacesClient":
    """A client of Google's services for one search, with the key as it is now."""
    from scrapersky.places.client import GEOCODING_URL, PLACES_URL, PlacesClient, PlacesUrls

    settings = PlacesWorkerSettings.from_env(os.environ)
    urls = PlacesUrls(settings.places_url or PLACES_URL, settings.geocoding_url or GEOCODING_URL)
    return PlacesClient(secret(settings.key_secret_arn).strip(), urls=urls)


def webhook_key() -> str:
    """The key that the secrets of webhooks are derived from."""
    return secret(WebhookKeySettings.from_env(os.environ).secret_arn)
