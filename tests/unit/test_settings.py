"""Settings: read whole or refused by the name of the variable, and no way to a private network when deployed."""

import pytest

from scrapersky.errors import ConfigurationError
from scrapersky.settings import (
    LOCAL_ONLY,
    DatabaseSettings,
    FetchSettings,
    MigrationSettings,
    PlacesSettings,
    PlacesWorkerSettings,
    QueueSettings,
    SitemapWorkerSettings,
    TokenSettings,
    WorkerSettings,
)

COMPLETE = {
    "DATABASE_SECRET_ARN": "arn:database",
    "MIGRATION_DATABASE_SECRET_ARN": "arn:migration",
    "SCAN_QUEUE_URL": "https://sqs.example/scan",
    "SCAN_LEASE_SECONDS": "150",
    "SITEMAP_LEASE_SECONDS": "60",
    "MAX_CONCURRENT_SITES": "10",
    "PLACES_ARE_CONFIGURED": "1",
    "PLACES_KEY_SECRET_ARN": "arn:places",
    "PLACES_LEASE_SECONDS": "90",
    "PLACES_CONTENT_DAYS": "30",
    "PLACES_REUSE_HOURS": "24",
    "CONTACT_URL": "https://bot.example/about",
    "JWT_ALGORITHM": "HS256",
    "JWT_AUDIENCE": "authenticated",
    "JWT_SECRET_ARN": "arn:jwt",
}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (DatabaseSettings, "DATABASE_SECRET_ARN"),
        (MigrationSettings, "MIGRATION_DATABASE_SECRET_ARN"),
        (WorkerSettings, "SCAN_LEASE_SECONDS"),
        (WorkerSettings, "MAX_CONCURRENT_SITES"),
        (SitemapWorkerSettings, "SITEMAP_LEASE_SECONDS"),
        (SitemapWorkerSettings, "MAX_CONCURRENT_SITES"),
        (PlacesSettings, "PLACES_ARE_CONFIGURED"),
        *((PlacesWorkerSettings, name) for name in ("PLACES_KEY_SECRET_ARN", "PLACES_LEASE_SECONDS")),
        *((PlacesWorkerSettings, name) for name in ("PLACES_CONTENT_DAYS", "PLACES_REUSE_HOURS")),
        (FetchSettings, "CONTACT_URL"),
        (TokenSettings, "JWT_ALGORITHM"),
        (TokenSettings, "JWT_AUDIENCE"),
        (TokenSettings, "JWT_SECRET_ARN"),
    ],
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_missing_is_named(settings: type, name: str, value: str | None) -> None:
    env = {key: text for key, text in COMPLETE.items() if key != name}
    if value is not None:
        env[name] = value
    settings.from_env(COMPLETE)  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=rf"\b{name}\b"):
        settings.from_env(env)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("queue", "name"),
    [
        ("domain_scan", "SCAN_QUEUE_URL"),
        ("sitemap_scan", "SITEMAP_QUEUE_URL"),
        ("places_search", "PLACES_QUEUE_URL"),
        ("batch", "BATCH_QUEUE_URL"),
        ("event", "EVENT_QUEUE_URL"),
        ("webhook", "WEBHOOK_QUEUE_URL"),
    ],
)
def test_a_queue_that_is_sent_to_must_have_its_address_and_no_other_must(queue: str, name: str) -> None:
    assert QueueSettings.from_env({name: "https://sqs.example/q"}, [queue]).urls == {queue: "https://sqs.example/q"}
    with pytest.raises(ConfigurationError, match=name):
        QueueSettings.from_env({}, [queue])


@pytest.mark.parametrize("value", ["x", "1.5", "0", "-1", "1000000"])
def test_a_number_out_of_bounds_is_named(value: str) -> None:
    with pytest.raises(ConfigurationError, match="SCAN_LEASE_SECONDS"):
        WorkerSettings.from_env({**COMPLETE, "SCAN_LEASE_SECONDS": value})
    with pytest.raises(ConfigurationError, match="SITEMAP_LEASE_SECONDS"):
        SitemapWorkerSettings.from_env({**COMPLETE, "SITEMAP_LEASE_SECONDS": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLACES_LEASE_SECONDS", "1"),
        ("PLACES_LEASE_SECONDS", "931"),
        ("PLACES_CONTENT_DAYS", "0"),
        ("PLACES_CONTENT_DAYS", "31"),  # more than Google's terms allow
        ("PLACES_REUSE_HOURS", "-1"),
        ("PLACES_REUSE_HOURS", "721"),
    ],
)
def test_a_number_of_searches_out_of_bounds_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        PlacesWorkerSettings.from_env({**COMPLETE, name: value})


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("true", False)])
def test_there_is_a_key_only_where_that_is_said(value: str, expected: bool) -> None:
    assert PlacesSettings.from_env({"PLACES_ARE_CONFIGURED": value}).are_configured is expected


def test_searches_go_to_google_unless_a_local_stack_says_otherwise() -> None:
    deployed = PlacesWorkerSettings.from_env(COMPLETE)
    assert (deployed.places_url, deployed.geocoding_url) == (None, None)
    own = {"PLACES_API_URL": "http://127.0.0.1:1/a", "GEOCODING_API_URL": "http://127.0.0.1:1/b"}
    local = PlacesWorkerSettings.from_env({**COMPLETE, **own, "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    assert [local.places_url, local.geocoding_url] == list(own.values())


def test_a_public_key_algorithm_wants_the_key_set_and_no_secret() -> None:
    env = {**COMPLETE, "JWT_ALGORITHM": "ES256", "JWKS_URL": "https://id.example/keys"}
    settings = TokenSettings.from_env(env)
    assert (settings.secret_arn, settings.jwks_url) == (None, "https://id.example/keys")
    with pytest.raises(ConfigurationError, match="JWKS_URL"):
        TokenSettings.from_env({**COMPLETE, "JWT_ALGORITHM": "ES256"})


@pytest.mark.parametrize("algorithm", ["none", "HS512", "hs256"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    with pytest.raises(ConfigurationError, match="JWT_ALGORITHM"):
        TokenSettings.from_env({**COMPLETE, "JWT_ALGORITHM": algorithm})


@pytest.mark.parametrize("name", LOCAL_ONLY)
@pytest.mark.parametrize(
    "endpoint",
    [None, "", "https://sqs.eu-central-1.amazonaws.com", "http://10.0.0.1:4566", "http://localhost.evil.example"],
)
def test_what_opens_private_networks_is_refused_where_aws_is_not_this_machine(name: str, endpoint: str | None) -> None:
    env = {**COMPLETE, name: "127.0.0.0/8"}
    if endpoint is not None:
        env["AWS_ENDPOINT_URL"] = endpoint
    for settings in (FetchSettings, PlacesWorkerSettings):
        with pytest.raises(ConfigurationError, match=name):
            settings.from_env(env)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST", "aws.localhost"])
def test_a_local_stack_may_name_networks_and_rules(host: str) -> None:
    settings = FetchSettings.from_env(
        {
            **COMPLETE,
            "AWS_ENDPOINT_URL": f"http://{host}:4566",
            "FETCH_ALLOW_NETWORKS": "127.0.0.0/8, 10.0.0.0/8",
            "FETCH_RESOLVE": "*.example=127.0.0.1:8001",
        }
    )
    assert settings.allow_networks == ("127.0.0.0/8", "10.0.0.0/8")
    assert settings.resolve == ("*.example=127.0.0.1:8001",)
