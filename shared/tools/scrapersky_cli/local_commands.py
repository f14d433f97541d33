"""The commands around the local stack: run it, get a token of it, see it work.

What they need beyond the CLI (a database server, the AWS services) is an extra that a mere client does not have,
so it is imported when such a command runs.
"""

import contextlib
import importlib
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from scrapersky_cli import config, options
from scrapersky_cli.errors import CliError, UsageError
from scrapersky_cli.running import announce
from scrapersky_cli.session import notices, output, session_of
from scrapersky_cli.text import clean
from scrapersky_cli.times import span_seconds

DEFAULT_PORT = 8000
DEFAULT_TTL = "12h"
_LONGEST_TTL = 366 * 86_400  # a mistyped unit should not make a token for ever
PLACES_KEY = "SCRAPERSKY_PLACES_KEY"
_KEY = re.compile(r"[A-Za-z0-9_-]{10,200}")  # Google's have 39 characters; a file of prose or JSON is none
_INSTALL = "pip install 'scrapersky[local]'"


def up(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the API answers; 0 is any free port.")
    ] = DEFAULT_PORT,
    data_dir: options.DataDir = None,
    allow_network: Annotated[
        list[str] | None,
        typer.Option("--allow-network", metavar="CIDR", help="A private network that scans may reach. Repeatable."),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(
            "--resolve",
            metavar="HOST[:PORT]=ADDR:PORT",
            help="Where a name leads in scans; `*.` is any name below. Repeatable.",
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file", exists=True, dir_okay=False, help="PEM file of authorities that scans trust as well."
        ),
    ] = None,
    places_key_file: Annotated[
        Path | None,
        typer.Option(
            "--places-key-file",
            help="File with a key of Google's: searches cost money. [default: SCRAPERSKY_PLACES_KEY, else an emulator]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    That is the API, its workers and queues, and the database. The rows are kept in
    --data-dir over a restart. While the stack runs, the other commands find it by themselves.
    Scans reach public addresses only, unless --allow-network opens more. Places searches ask an emulator, which
    knows made-up businesses alone, unless there is a key of Google's.

    \b
    Examples:
      scrapersky up
      scrapersky up --port 9000 --data-dir /tmp/stack
      scrapersky up --allow-network 127.0.0.0/8 --resolve '*.example=127.0.0.1:8080'
      scrapersky up --places-key-file google.key
    """
    environ = session_of(context).environ
    folder = config.data_dir(data_dir, environ)
    key = places_key(places_key_file, environ)
    with _local_errors():
        stack = _import("stack")
        stack_options = stack.StackOptions(
            data_dir=folder,
            port=port,
            allow_networks=tuple(allow_network or ()),
            resolve=tuple(resolve or ()),
            ca_file=ca_file,
            places_key=key,
            say=stack.print_line,
        )
        with _local_errors(UsageError):
            stack_options.fetching()  # what is wrong with the command line is said before anything starts
            stack_options.open_data_dir()
        with announce(folder, environ):
            stack.run_until_interrupted(stack_options)


def token(
    context: typer.Context,
    tenant: Annotated[
        UUID | None, typer.Option("--tenant", help="The tenant. [default: the stack's own]", show_default=False)
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="The user (sub). [default: the stack's own]", show_default=False)
    ] = None,
    ttl: Annotated[
        str, typer.Option("--ttl", metavar="TIME", help="How long it is good: 90s, 30m, 12h, 7d.")
    ] = DEFAULT_TTL,
    data_dir: options.DataDir = None,
) -> None:
    """Print a new bearer token of the running local stack.

    \b
    Examples:
      scrapersky token
      scrapersky token --tenant 6f1c2f0e-93d8-4a55-8a3c-0d4f4f2f9b11 --user tester --ttl 15m
      curl -H "Authorization: Bearer $(scrapersky token)" http://127.0.0.1:8000/api/v3/jobs
    """
    seconds = ttl_seconds(ttl)
    session = session_of(context)
    if user is not None and (not user.strip() or not user.isprintable()):
        raise UsageError("--user needs a name of printable characters")
    stack = config.read_stack_file(config.stack_dir(data_dir, session.environ))
    with _local_errors():
        tokens = _import("tokens")
        own = tokens.bearer_of(stack.token)
        bearer = tokens.Bearer(tenant_id=str(tenant or own.tenant_id), user_id=user or own.user_id)
        secret = tokens.signing_secret(stack.aws_endpoint_url, stack.region)
        typer.echo(tokens.mint(secret, bearer, ttl_seconds=seconds))


def demo() -> None:
    """Watch the system scan a small web of its own.

    Brings a local stack up on free ports in a temporary folder, scans the sites that come along, shows what was
    found and why the others failed, scans them again as batches (by a request and by a queue message), reads the
    sitemaps of some, searches an emulator of Google's services for businesses and scans their sites, and takes
    everything down again.
    Needs no network and no account. Exits with 1 when a site's outcome is not the one that its description says.

    \b
    Examples:
      scrapersky demo
    """
    with _local_errors(), _stopping_on_signals():
        as_described = _import("demo").run(output(), notices())
    if not as_described:
        raise typer.Exit(1)


COMMANDS = (up, token, demo)


def ttl_seconds(text: str) -> int:
    """`90s`, `30m`, `12h`, `7d` or plain seconds as seconds. Raises UsageError."""
    seconds = span_seconds(text) or span_seconds(f"{text.strip()}s") or 0
    if not 0 < seconds <= _LONGEST_TTL:
        raise UsageError(f"--ttl {clean(text)!r} is no time such as 90s, 30m, 12h or 7d, of a year at most")
    return seconds


def places_key(file: Path | None, environ: Mapping[str, str]) -> str | None:
    """Google's key from the file or, without one, from the environment; None when neither has one.

    Raises UsageError for what is no key, without repeating it.
    """
    source, text = PLACES_KEY, environ.get(PLACES_KEY, "")
    if file is not None:
        source = str(file)
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read a key from {source}") from error
    key = text.strip()
    if not key and file is None:
        return None
    if not _KEY.fullmatch(key):
        raise UsageError(f"{source} holds no key: one is letters, digits, - and _ on one line")
    return key


def _import(module: str) -> Any:
    """A module of the local stack. Raises UsageError, saying how to install it, where its packages are missing."""
    try:
        return importlib.import_module(f"scrapersky_local.{module}")
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] in {"scrapersky", "scrapersky_cli", "scrapersky_local"}:
            raise
        raise UsageError(f"the local stack needs the package {missing}; install it with: {_INSTALL}") from error


@contextlib.contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that what it started is stopped and removed."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _local_errors(kind: type[CliError] = CliError) -> Iterator[None]:
    """A StackError as the CLI's own error: one line, and an exit code."""
    processes = _import("processes")
    try:
        yield
    except processes.StackError as error:
        raise kind(str(error)) from error
