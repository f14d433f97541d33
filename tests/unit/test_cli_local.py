"""The commands around the local stack, as far as they need none."""

import json
import sys
import time
from pathlib import Path

import jwt
import pytest

from scrapersky_cli import local_commands
from scrapersky_cli.errors import UsageError
from scrapersky_local import tokens
from scrapersky_local.processes import StackError
from unit.cli_runs import FakeApi

SECRET = "0123456789abcdef0123456789abcdef"
TENANT = "6f1c2f0e-93d8-4a55-8a3c-0d4f4f2f9b11"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), (" 1h ", 3600)]
)
def test_times_are_read_with_their_unit(text: str, seconds: int) -> None:
    assert local_commands.ttl_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1.5h", "h", "9999d", "1w", "\u0661h", "1 h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        local_commands.ttl_seconds(text)


def test_a_minted_token_is_the_bearer_s_and_ends() -> None:
    before = int(time.time())
    token = tokens.mint(SECRET, tokens.Bearer(TENANT, "tester"), ttl_seconds=60)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="authenticated")
    assert (claims["tenant_id"], claims["sub"]) == (TENANT, "tester")
    assert before + 60 <= claims["exp"] <= time.time() + 60
    assert tokens.bearer_of(token) == tokens.Bearer(TENANT, "tester")


@pytest.mark.parametrize("token", ["", "no.jwt", jwt.encode({"sub": "x"}, SECRET, algorithm="HS256")])
def test_a_token_that_speaks_for_nobody_is_said_so(token: str) -> None:
    with pytest.raises(StackError):
        tokens.bearer_of(token)


def test_a_token_needs_a_running_stack(tmp_path: Path) -> None:
    ran = FakeApi({}).run("token", "--data-dir", str(tmp_path))
    assert ran.exit_code == 2
    assert "scrapersky up" in ran.stderr


@pytest.mark.parametrize("command", ["up", "token", "demo"])
def test_without_the_local_extra_it_says_how_to_install_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = {"api_url": "http://127.0.0.1:1", "token": "t", "aws_endpoint_url": "http://127.0.0.1:2", "region": "r"}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    for module in [name for name in sys.modules if name.startswith("scrapersky_local")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "boto3", None)
    arguments = [] if command == "demo" else ["--data-dir", str(tmp_path)]
    ran = FakeApi({}).run(command, *arguments)
    assert ran.exit_code == 2
    assert "pip install 'scrapersky[local]'" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--allow-network", "0.0.0.0/0"], ["--allow-network", "169.254.0.0/16"], ["--resolve", "shop.example"]],
    ids=" ".join,
)
def test_a_network_or_rule_that_the_guard_refuses_starts_nothing(arguments: list[str], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    ran = FakeApi({}).run("up", "--data-dir", str(data_dir), *arguments)
    assert ran.exit_code == 2
    assert ran.stderr.startswith("error: ")
    assert not data_dir.exists()
