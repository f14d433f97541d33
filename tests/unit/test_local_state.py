"""The files of a data directory: private, whole, and held by one stack at a time."""

import json
import os
import sys
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path

import pytest

from scrapersky_local.demo_web.tls import make_authority
from scrapersky_local.places_emulator import server
from scrapersky_local.processes import StackError, open_private, spawn
from scrapersky_local.stack import Stack, StackOptions
from scrapersky_local.state import StackInfo, hold, load_secrets, stack_file, write_private

INFO = StackInfo(
    api_url="http://127.0.0.1:8000",
    token="a.b.c",
    database_url="postgresql://app@127.0.0.1:1/x",
    direct_database_url="postgresql://postgres@127.0.0.1:2/x",
    aws_endpoint_url="http://127.0.0.1:3",
    region="us-east-1",
)


def test_the_stack_file_is_there_while_the_stack_runs(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    with stack_file(tmp_path, INFO):
        assert json.loads(path.read_text("utf-8")) == {
            "api_url": "http://127.0.0.1:8000",
            "token": "a.b.c",
            "database_url": "postgresql://app@127.0.0.1:1/x",
            "direct_database_url": "postgresql://postgres@127.0.0.1:2/x",
            "aws_endpoint_url": "http://127.0.0.1:3",
            "region": "us-east-1",
        }
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_a_private_file_replaces_a_readable_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", "utf-8")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text("utf-8") == "new\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("was_there", [False, True])
def test_a_log_is_for_its_owner_alone_also_one_that_was_for_all(tmp_path: Path, was_there: bool) -> None:
    path = tmp_path / "log"
    if was_there:
        path.write_text("old\n", "utf-8")
        path.chmod(0o644)
    with open_private(path, "ab") as file:
        file.write(b"new\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text("utf-8") == ("old\nnew\n" if was_there else "new\n")


def test_what_a_process_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn([sys.executable, "-c", "print('secret')"], log=log)
    assert process.wait(10) == 0
    assert (log.read_text("utf-8"), log.stat().st_mode & 0o777) == ("secret\n", 0o600)


def test_secrets_are_drawn_once(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_directory_of_an_earlier_version_gets_what_it_lacks_and_keeps_the_rest(tmp_path: Path) -> None:
    kept = asdict(load_secrets(tmp_path))
    del kept["webhook_key"]
    write_private(tmp_path / "secrets.json", json.dumps(kept))
    upgraded = load_secrets(tmp_path)
    assert upgraded.webhook_key
    assert asdict(upgraded) == {**kept, "webhook_key": upgraded.webhook_key}
    assert load_secrets(tmp_path) == upgraded


def test_each_directory_has_secrets_of_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert load_secrets(tmp_path / "a") != load_secrets(tmp_path / "b")


def test_a_held_directory_says_who_holds_it(tmp_path: Path) -> None:
    with (
        hold(tmp_path, "http://127.0.0.1:8000"),
        pytest.raises(StackError, match=rf"in use by process {os.getpid()}, which serves http://127\.0\.0\.1:8000"),
        hold(tmp_path, "http://127.0.0.1:9000"),
    ):
        pass


def test_a_directory_is_free_again_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path, "http://127.0.0.1:8000") as unclean:
            assert not unclean


def test_a_holder_that_was_killed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("process 1, which serves http://127.0.0.1:8000", "utf-8")
    with hold(tmp_path, "http://127.0.0.1:8000") as unclean:
        assert unclean


def test_the_scan_workers_are_told_what_they_may_reach(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes(make_authority("An authority").pem)
    options = StackOptions(
        data_dir=tmp_path,
        allow_networks=("127.0.0.0/8", "10.0.0.0/8"),
        resolve=("*.example=127.0.0.1:8080",),
        ca_file=authorities,
    )
    assert options.fetching() == {
        "FETCH_ALLOW_NETWORKS": "127.0.0.0/8,10.0.0.0/8",
        "FETCH_RESOLVE": "*.example=127.0.0.1:8080",
        "FETCH_CA_FILE": str(authorities),
    }


def test_nothing_is_opened_by_default(tmp_path: Path) -> None:
    assert StackOptions(data_dir=tmp_path).fetching() == {}


@pytest.mark.parametrize(
    ("networks", "rules"),
    [
        pytest.param(("169.254.0.0/16",), (), id="link-local"),
        pytest.param(("0.0.0.0/0",), (), id="everything"),
        pytest.param(("nonsense",), (), id="no network"),
        pytest.param((), ("example=nowhere",), id="no rule"),
    ],
)
def test_what_the_guard_refuses_is_refused_at_the_start(
    tmp_path: Path, networks: tuple[str, ...], rules: tuple[str, ...]
) -> None:
    with pytest.raises(StackError):
        StackOptions(data_dir=tmp_path, allow_networks=networks, resolve=rules).fetching()


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(StackError, match=r"^no PEM certificates in .*ca\.pem$"):
        StackOptions(data_dir=tmp_path, ca_file=file).fetching()


def test_a_file_of_authorities_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^cannot read .*ca\.pem: No such file or directory$"):
        StackOptions(data_dir=tmp_path, ca_file=tmp_path / "ca.pem").fetching()


def test_a_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = StackOptions(data_dir=tmp_path / "a" / "b").open_data_dir()
    assert folder == tmp_path / "a" / "b"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert StackOptions(data_dir=folder).open_data_dir() == folder
    assert list(folder.iterdir()) == []


def test_a_stack_is_not_started_in_a_data_directory_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StackError, match=r"^cannot keep data in .*file/data: Not a directory$"),
        Stack(StackOptions(data_dir=tmp_path / "file" / "data")).running(),
    ):
        pass


@pytest.mark.parametrize("key", ["AIza-planted-key", None])
def test_whom_searches_ask_is_said_at_the_start_and_without_the_key(key: str | None, tmp_path: Path) -> None:
    said: list[str] = []
    options = StackOptions(tmp_path, places_key=key, say=said.append)
    with ExitStack() as parts, pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "serve", lambda _: nullcontext("http://127.0.0.1:4"))
        variables = Stack(options)._places(parts)
    address = "http://127.0.0.1:4"
    assert variables == ({} if key else {"PLACES_API_URL": address, "GEOCODING_API_URL": address})
    (line,) = said
    assert ("ask Google" in line) == ("cost money" in line) == bool(key)
    assert "AIza" not in f"{said}{options}"
