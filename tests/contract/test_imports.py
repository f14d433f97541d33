"""What a function's import loads is its cold start: no package that this function does not use."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Modules that cost milliseconds to load. The table says who loads which; whatever else a function loads of them is
# a mistake, and so is a line here that is true no more.
COSTLY = {
    "ada_url",
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "boto3",
    "botocore.session",  # Powertools looks for `botocore` alone, which is next to nothing
    "bs4",
    "cryptography",
    "httpx",
    "jwt",
    "lxml",
    "protego",
    "psycopg",
    "pydantic",
}
API = {"ada_url", "aws_lambda_powertools", "psycopg", "pydantic"}
LOADED = {
    "authorizer": {"aws_lambda_powertools", "cryptography", "jwt"},
    "batch_finish": {"psycopg"},
    "batch_plan": {"psycopg"},
    "batch_scan_api": API,
    "batch_start": {"ada_url", "psycopg"},
    "console": {"aws_lambda_powertools", "pydantic"},
    "canary": {"httpx"},
    "dead_letter": {"psycopg"},
    "domain_scan_api": API,
    "domain_scan_worker": {"ada_url", "psycopg"},
    "event_dispatcher": {"psycopg"},
    "jobs_api": API,
    "migrate": {"psycopg"},
    "places_search_api": API,
    "places_search_worker": {"ada_url", "httpx", "psycopg"},
    "sitemap_api": API,
    # Loaded while the function starts, which has more of the processor than an invocation: each of them fetches.
    "sitemap_worker": {"ada_url", "bs4", "httpx", "lxml", "protego", "psycopg"},
    "sweeper": {"psycopg"},
    "webhooks_api": API,
    "webhook_worker": {"ada_url", "httpx", "psycopg"},
}
# Of all kinds: a tenth more than the largest of each sort loads.
MODULE_CAP, API_MODULE_CAP, FETCHING_MODULE_CAP = 385, 610, 740


def loaded_by(statement: str, function: str) -> set[str]:
    """The modules in a fresh interpreter after the statement, with the layer and the function on its path."""
    program = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    path = [str(ROOT / "functions" / function), str(ROOT / "shared" / "runtime")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""},  # importing reads no environment
    )
    return set(done.stdout.split())


def test_every_function_has_its_line() -> None:
    assert set(LOADED) == {app.parent.name for app in (ROOT / "functions").glob("*/app.py")}


@pytest.mark.parametrize("function", sorted(LOADED))
def test_a_function_loads_the_costly_packages_that_it_uses_and_no_other(function: str) -> None:
    modules = loaded_by("import app", function)
    assert modules & COSTLY == LOADED[function]
    cap = FETCHING_MODULE_CAP if "httpx" in modules else API_MODULE_CAP if "pydantic" in modules else MODULE_CAP
    assert len(modules) <= cap


def test_control_a_package_too_many_is_seen() -> None:
    assert "bs4" in loaded_by("import app, bs4", "sweeper") & COSTLY
