"""What every command needs from the process it runs in: environment, the two streams, a client.

A test hands its own Session in as the command's context object; nothing here is read at import.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.console import Console, RenderableType

from scrapersky_cli import config
from scrapersky_cli.client import ApiClient
from scrapersky_cli.errors import CliError
from scrapersky_cli.text import clean, to_json

PIPE_WIDTH = 200  # columns when the output goes to a file or a pipe, where there is no window to fit


@dataclass(frozen=True, slots=True)
class Session:
    """`transport` and `sleep` are the client's; a transport of None is the real network."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def client(self, data_dir: Path | None) -> Iterator[ApiClient]:
        """A client of the API that the option, the environment or the running stack names. Raises UsageError."""
        target = config.target(data_dir, self.environ)
        with ApiClient(target.api_url, target.token, transport=self.transport, sleep=self.sleep) as client:
            yield client

    def show(self, *renderables: RenderableType) -> None:
        """Print results for people to stdout."""
        with _stdout():
            console = output()
            for renderable in renderables:
                console.print(renderable)
            sys.stdout.flush()

    def show_json(self, document: Any) -> None:
        """Print one JSON document, and nothing else, to stdout."""
        with _stdout():
            sys.stdout.write(to_json(document) + "\n")
            sys.stdout.flush()  # here, where a closed pipe is handled, and not at the interpreter's end

    def show_lines(self, lines: Iterable[str]) -> None:
        """Write results for programs to stdout, each line with its end."""
        with _stdout():
            sys.stdout.writelines(lines)
            sys.stdout.flush()

    def say(self, message: str) -> None:
        """Print one line about the run, not a result, to stderr."""
        notices().print(clean(message), soft_wrap=True)


@contextmanager
def _stdout() -> Iterator[None]:
    """While results are written to stdout. Raises CliError when it takes no more; a reader that left is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is buffered cannot be written either: without this the interpreter would try, and complain, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CliError(f"cannot write the output: {error.strerror or error}") from error


def output() -> Console:
    """stdout. Neither markup nor emoji codes are read, since what is printed comes from the outside."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(markup=False, emoji=False, highlight=False, width=width)


def notices() -> Console:
    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def session_of(context: typer.Context) -> Session:
    return context.find_object(Session) or Session()
