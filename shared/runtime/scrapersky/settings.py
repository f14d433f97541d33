"""What a function is told by its environment, read once and checked whole.

The template sets every variable. FETCH_* is for the local stack alone, and refused anywhere else: a deployed
function has no way to reach a private network.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from scrapersky.domain.loopback import is_loopback
from scrapersky.domain.status import JobKind
from scrapersky.environment import Environment, number, required, words
from scrapersky.errors import ConfigurationError

LOCAL_ONLY = ("FETCH_ALLOW_NETWORKS", "FETCH_RESOLVE", "FETCH_CA_FILE", "PLACES_API_URL", "GEOCODING_API_URL")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the DSN of the application's role is kept."""

    secret_arn: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "DATABASE_SECRET_ARN"))


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """Where the DSN of the schema's owner, over the direct connection, is kept."""

    secret_arn: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "MIGRATION_DATABASE_SECRET_ARN"))


QUEUE_VARIABLES = {
    "domain_scan": "SCAN_QUEUE_URL",
    "sitemap_scan": "SITEMAP_QUEUE_URL",
    "places_search": "PLACES_QUEUE_URL",
    "batch": "BATCH_QUEUE_URL",
    "event": "EVENT_QUEUE_URL",
    "webhook": "WEBHOOK_QUEUE_URL",
}


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Queue URL by what is owed: a job's kind, `batch`, `event` or `webhook`."""

    urls: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Environment, queues: Iterable[str]) -> Self:
        return cls({queue: required(env, QUEUE_VARIABLES[queue]) for queue in queues})


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How bearer tokens are verified. The algorithm is pinned here and never taken from a token."""

    algorithm: str
    audience: str
    issuer: str | None
    secret_arn: str | None
    jwks_url: str | None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        algorithm = required(env, "JWT_ALGORITHM")
        if algorithm not in ("HS256", "RS256", "ES256"):
            raise ConfigurationError("environment variable JWT_ALGORITHM is none of HS256, RS256, ES256")
        shared = algorithm == "HS256"
        return cls(
            algorithm=algorithm,
            audience=required(env, "JWT_AUDIENCE"),
            issuer=env.get("JWT_ISSUER", "").strip() or None,
            secret_arn=required(env, "JWT_SECRET_ARN") if shared else None,
            jwks_url=None if shared else required(env, "JWKS_URL"),
        )


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How the worker presents itself and, on a local stack only, what it may reach besides the public web."""

    contact_url: str
    allow_networks: tuple[str, ...]
    resolve: tuple[str, ...]
    ca_file: str | None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        _refuse_elsewhere(env)
        return cls(
            contact_url=required(env, "CONTACT_URL"),
            allow_networks=words(env, "FETCH_ALLOW_NETWORKS"),
            resolve=words(env, "FETCH_RESOLVE"),
            ca_file=env.get("FETCH_CA_FILE") or None,
        )


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How long a claim holds, in seconds, and how many sites one invocation scans at once."""

    lease_seconds: int
    max_concurrent_sites: int

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            lease_seconds=number(env, "SCAN_LEASE_SECONDS", at_least=2, at_most=930),
            max_concurrent_sites=number(env, "MAX_CONCURRENT_SITES", at_least=1, at_most=100),
        )


@dataclass(frozen=True, slots=True)
class SitemapWorkerSettings:
    """How long a claim of a job or a file holds, in seconds, and how many sites one invocation reads at once."""

    lease_seconds: int
    max_concurrent_sites: int

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            lease_seconds=number(env, "SITEMAP_LEASE_SECONDS", at_least=2, at_most=930),
            max_concurrent_sites=number(env, "MAX_CONCURRENT_SITES", at_least=1, at_most=100),
        )


@dataclass(frozen=True, slots=True)
class PlacesSettings:
    """Whether places searches can be made: whether there is a key, which the functions of the API never see."""

    are_configured: bool

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "PLACES_ARE_CONFIGURED") == "1")


@dataclass(frozen=True, slots=True)
class PlacesWorkerSettings:
    """Where Google's key is kept, how long Google's content is, and for how long a search stands for the next.

    The URLs are those of a local stack's own services, None for Google's.
    """

    key_secret_arn: str
    lease_seconds: int
    content_days: int
    reuse_hours: int
    places_url: str | None
    geocoding_url: str | None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        _refuse_elsewhere(env)
        return cls(
            key_secret_arn=required(env, "PLACES_KEY_SECRET_ARN"),
            lease_seconds=number(env, "PLACES_LEASE_SECONDS", at_least=2, at_most=930),
            content_days=number(env, "PLACES_CONTENT_DAYS", at_least=1, at_most=30),
            reuse_hours=number(env, "PLACES_REUSE_HOURS", at_least=0, at_most=720),
            places_url=env.get("PLACES_API_URL") or None,
            geocoding_url=env.get("GEOCODING_API_URL") or None,
        )


@dataclass(frozen=True, slots=True)
class BatchStartSettings:
    """Which state machine works batches off, and where messages go that cannot be read."""

    state_machine_arn: str
    dead_letter_queue_url: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "BATCH_STATE_MACHINE_ARN"), required(env, "BATCH_DEAD_LETTER_QUEUE_URL"))


@dataclass(frozen=True, slots=True)
class BatchPlanSettings:
    """How a batch is cut up: domains a chunk, workers a batch, sites a worker; and the bucket for the chunks."""

    bucket: str
    chunk_size: int
    max_lanes: int
    sites_per_worker: Mapping[JobKind, int]

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            bucket=required(env, "BATCH_BUCKET"),
            chunk_size=number(env, "BATCH_CHUNK_SIZE", at_least=1, at_most=100),
            max_lanes=number(env, "BATCH_MAX_LANES", at_least=1, at_most=1000),
            sites_per_worker={
                JobKind.DOMAIN_SCAN: number(env, "MAX_CONCURRENT_SITES", at_least=1, at_most=100),
                JobKind.SITEMAP_SCAN: number(env, "MAX_CONCURRENT_SITEMAP_SITES", at_least=1, at_most=100),
            },
        )


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """The bucket for results that are too large for an answer."""

    bucket: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "BATCH_BUCKET"))


@dataclass(frozen=True, slots=True)
class EventBusSettings:
    """The EventBridge bus that events are put on; None puts them on none."""

    name: str | None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(env.get("EVENT_BUS_NAME", "").strip() or None)


@dataclass(frozen=True, slots=True)
class WebhookKeySettings:
    """Where the key is kept that the secrets of all webhooks are derived from."""

    secret_arn: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(required(env, "WEBHOOK_KEY_SECRET_ARN"))


@dataclass(frozen=True, slots=True)
class WebhookWorkerSettings:
    """How long a claim of a delivery holds, in seconds, and how many webhook workers there may be at once."""

    lease_seconds: int
    max_workers: int

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            lease_seconds=number(env, "WEBHOOK_LEASE_SECONDS", at_least=2, at_most=930),
            max_workers=number(env, "WEBHOOK_MAXIMUM_CONCURRENCY", at_least=2, at_most=1000),
        )

    @property
    def workers_per_endpoint(self) -> int:
        """Half of them: a receiver that takes its time, or is dead and not known to be, leaves others the rest."""
        return self.max_workers // 2


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """Where the canary finds the public API, which page it has scanned, and where its bearer token is kept."""

    api_url: str
    url: str
    token_secret_arn: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            api_url=required(env, "CANARY_API_URL"),
            url=required(env, "CANARY_URL"),
            token_secret_arn=required(env, "CANARY_TOKEN_SECRET_ARN"),
        )


def _refuse_elsewhere(env: Environment) -> None:
    """Raise ConfigurationError for a variable of a local stack that is set anywhere else."""
    for name in LOCAL_ONLY:
        if env.get(name) and not _is_local(env):
            raise ConfigurationError(f"environment variable {name} is for a local stack only")


def _is_local(env: Environment) -> bool:
    """Whether the AWS services are on this very machine, which no deployed function can say of itself."""
    host = urlsplit(env.get("AWS_ENDPOINT_URL", "")).hostname
    return host is not None and is_loopback(host)
