"""Which API and token the CLI takes."""

import json
from pathlib import Path

import pytest

from scrapersky_cli import config
from scrapersky_cli.errors import UsageError

STACK = {
    "api_url": "http://127.0.0.1:8000",
    "token": "stack-token",
    "database_url": "postgresql://…",
    "direct_database_url": "postgresql://…",
    "aws_endpoint_url": "http://127.0.0.1:4566",
    "region": "us-east-1",
}
REMOTE = {"SCRAPERSKY_API_URL": "https://api.example", "SCRAPERSKY_TOKEN": "remote-token"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    return tmp_path


def test_the_environment_names_api_and_token() -> None:
    assert config.target(None, REMOTE) == config.Target("https://api.example", "remote-token")


def test_a_given_data_dir_wins_over_the_environment_s_address(folder: Path) -> None:
    found = config.target(folder, {"SCRAPERSKY_API_URL": "https://api.example"})
    assert found == config.Target("http://127.0.0.1:8000", "stack-token")


def test_the_running_stack_is_found_by_the_variable(folder: Path) -> None:
    found = config.target(None, {"SCRAPERSKY_DATA_DIR": str(folder)})
    assert found == config.Target("http://127.0.0.1:8000", "stack-token")


def test_the_running_stack_is_found_in_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = folder / "work"
    home.mkdir()
    folder.joinpath("stack.json").rename(folder / "s")
    (home / ".scrapersky").mkdir()
    (folder / "s").rename(home / ".scrapersky" / "stack.json")
    monkeypatch.chdir(home)
    assert config.target(None, {}).token == "stack-token"


def test_another_token_can_be_used_with_the_stack(folder: Path) -> None:
    assert config.target(folder, {"SCRAPERSKY_TOKEN": "other"}).token == "other"


def test_no_stack_and_no_environment_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config.target(tmp_path, {})
    assert "scrapersky up" in caught.value.message


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"api_url": 1}', json.dumps(STACK | {"token": None})])
def test_a_broken_stack_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_text(content)
    with pytest.raises(UsageError) as caught:
        config.target(tmp_path, {})
    assert "stack.json" in caught.value.message


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://api.example", "t"),
        ("ftp://127.0.0.1", "t"),
        ("api.example", "t"),
        ("https://", "t"),
        ("https://api.example:port", "t"),
        ("https://[::1", "t"),
        ("https://api.example", "two words"),
        ("https://api.example", "line\nfeed"),
        ("https://api.example", "naïve"),
        ("https://api.example", ""),
    ],
)
def test_an_address_or_token_that_cannot_work_is_refused_before_it_is_used(url: str, token: str) -> None:
    with pytest.raises(UsageError):
        config.target(None, {"SCRAPERSKY_API_URL": url, "SCRAPERSKY_TOKEN": token})
