"""The files of a data directory: who holds it, its secrets, and the running stack's addresses."""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scrapersky_cli.config import SECRETS_FILE, STACK_FILE
from scrapersky_local.processes import StackError


@dataclass(frozen=True, slots=True)
class StackInfo:
    """Where a running stack is, and what opens it.

    `token` is a bearer token of the stack's own tenant. `database_url` is the application's login through the pooler,
    held to row-level security; `direct_database_url` is the superuser's, who sees every tenant's rows.
    """

    api_url: str
    token: str
    database_url: str
    direct_database_url: str
    aws_endpoint_url: str
    region: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is drawn once for a data directory and stays."""

    app_password: str
    owner_password: str
    jwt_secret: str
    webhook_key: str
    tenant_id: str
    user_id: str


def load_secrets(data_dir: Path) -> Secrets:
    """The directory's secrets; those that it does not have yet are drawn."""
    path = data_dir / SECRETS_FILE
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    drawn = Secrets(
        app_password=secrets.token_urlsafe(24),
        owner_password=secrets.token_urlsafe(24),
        jwt_secret=secrets.token_urlsafe(48),
        webhook_key=secrets.token_urlsafe(48),
        tenant_id=str(uuid.uuid4()),
        user_id=str(uuid.uuid4()),
    )
    known = replace(drawn, **kept)
    if asdict(known) != kept:
        write_private(path, json.dumps(asdict(known), indent=2))
    return known


def write_private(path: Path, text: str) -> None:
    """Put a file that only we can read in its place, whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
    ) as f:
        f.write(text + "\n")
    os.replace(f.name, path)  # made with mode 0600


@contextlib.contextmanager
def stack_file(data_dir: Path, info: StackInfo) -> Iterator[None]:
    """stack.json, there for as long as the stack runs."""
    path = data_dir / STACK_FILE
    write_private(path, json.dumps(asdict(info), indent=2))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def hold(data_dir: Path, address: str) -> Iterator[bool]:
    """Hold the directory against a second stack. True when the one before had no time to stop.

    Raises:
        StackError: another process holds it; the message names the process and its address.
    """
    with open(os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        holder = file.read()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"{data_dir} is in use by {holder or 'a stack that is just starting'}") from error
        _write(file.fileno(), f"process {os.getpid()}, which serves {address}")
        try:
            yield holder != ""
        finally:
            _write(file.fileno(), "")


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
