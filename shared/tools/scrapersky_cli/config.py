"""Which API the commands talk to, and as whom: the environment, or the file that the running local stack writes.

| given              | API address                             | token                            |
| ------------------ | --------------------------------------- | -------------------------------- |
| `--data-dir D`     | D/stack.json                            | SCRAPERSKY_TOKEN, else that file |
| SCRAPERSKY_API_URL | the variable                            | SCRAPERSKY_TOKEN, required       |
| neither            | stack.json of the data directory         | SCRAPERSKY_TOKEN, else that file |

The data directory is the option's, SCRAPERSKY_DATA_DIR's or `.scrapersky` here; for commands that look for a running
stack, and find none here, the one that `scrapersky up` was started with last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scrapersky.domain.loopback import is_loopback
from scrapersky_cli.errors import UsageError
from scrapersky_cli.running import announced

DEFAULT_DATA_DIR = Path(".scrapersky")
STACK_FILE = "stack.json"  # while a stack runs
SECRETS_FILE = "secrets.json"  # from the first start of a stack on


@dataclass(frozen=True, slots=True)
class Target:
    """One API and one token for it."""

    api_url: str
    token: str


@dataclass(frozen=True, slots=True)
class StackFile:
    """What `scrapersky up` says about the stack that runs in a data directory."""

    api_url: str
    token: str
    aws_endpoint_url: str
    region: str


def data_dir(option: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the local stack keeps its state: the option, SCRAPERSKY_DATA_DIR, or `.scrapersky` here."""
    return option or Path(environ.get("SCRAPERSKY_DATA_DIR") or DEFAULT_DATA_DIR)


def stack_dir(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The data directory of the running stack that is meant, wherever it was started."""
    folder = data_dir(option, environ)
    if option is None and not environ.get("SCRAPERSKY_DATA_DIR") and not (folder / STACK_FILE).exists():
        return announced(environ) or folder
    return folder


def target(option: Path | None, environ: Mapping[str, str]) -> Target:
    """Resolve the table above. Raises UsageError saying what is missing and how to give it."""
    token = environ.get("SCRAPERSKY_TOKEN", "").strip()
    api_url = environ.get("SCRAPERSKY_API_URL", "").strip()
    if option is None and api_url:
        if not token:
            raise UsageError("SCRAPERSKY_API_URL is set but SCRAPERSKY_TOKEN is not; set both")
        found = Target(api_url, token)
    else:
        stack = read_stack_file(stack_dir(option, environ))
        found = Target(stack.api_url, token or stack.token)
    _check(found)
    return found


def read_stack_file(folder: Path) -> StackFile:
    path = folder / STACK_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = {name: content[name] for name in ("api_url", "token", "aws_endpoint_url", "region")}
    except FileNotFoundError as error:
        raise UsageError(
            f"no API to talk to: SCRAPERSKY_API_URL is not set and there is no {path}. "
            "Start a local stack with `scrapersky up`, or set SCRAPERSKY_API_URL and SCRAPERSKY_TOKEN"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a stack's file; start the stack again with `scrapersky up`") from error
    if not all(isinstance(value, str) for value in fields.values()):
        raise UsageError(f"{path} is not a stack's file; start the stack again with `scrapersky up`")
    return StackFile(**fields)


def _check(found: Target) -> None:
    """A token in the clear is only for this machine; a token no header can carry would fail far from its cause."""
    try:
        parts = urlsplit(found.api_url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"SCRAPERSKY_API_URL is not a URL: {found.api_url}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise UsageError(f"SCRAPERSKY_API_URL is not an http(s) URL: {found.api_url}")
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError("SCRAPERSKY_API_URL must be https: plain http would send the token in the clear")
    if not (found.token.isascii() and found.token.isprintable()) or " " in found.token:
        raise UsageError("SCRAPERSKY_TOKEN holds characters that no token has")
