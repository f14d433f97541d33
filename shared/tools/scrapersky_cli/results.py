"""Writes results: a table for people, or what the API exports, piece by piece; to stdout, or whole into a file."""

import contextlib
import io
import itertools
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.table import Table

from scrapersky_cli.batch_render import results_table
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.errors import CliError, UnexpectedAnswer, UsageError
from scrapersky_cli.session import PIPE_WIDTH, Session
from scrapersky_cli.sitemap_render import is_sitemap_scan, sitemap_results_table
from scrapersky_cli.text import clean, escape_json, printable


class ResultFormat(StrEnum):
    """How results are written. The last two are the API's own."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"


class UrlFormat(StrEnum):
    """How the URLs of sitemaps are written. `table` is for people; the others are the API's own."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"
    TXT = "txt"


_BY_ENDING = {".ndjson": ResultFormat.NDJSON, ".jsonl": ResultFormat.NDJSON, ".csv": ResultFormat.CSV}
_URLS_BY_ENDING = {
    ".ndjson": UrlFormat.NDJSON,
    ".jsonl": UrlFormat.NDJSON,
    ".csv": UrlFormat.CSV,
    ".txt": UrlFormat.TXT,
}


def chosen_format(asked: ResultFormat | None, target: Path | None) -> ResultFormat:
    """The format that was asked for or, when none was, the one that the file's name ends with.

    Raises UsageError when the target cannot be written, so that this shows before the work and not after it.
    """
    _check(target)
    ending = target.suffix.lower() if target is not None else ""
    return asked or _BY_ENDING.get(ending, ResultFormat.TABLE)


def chosen_url_format(asked: UrlFormat | None, target: Path | None) -> UrlFormat:
    """`chosen_format` for URLs, which are too many to be guessed at: a file whose name tells no format needs one.

    A table is for stdout. Raises UsageError.
    """
    _check(target)
    if target is None:
        return asked or UrlFormat.TABLE
    chosen = asked or _URLS_BY_ENDING.get(target.suffix.lower())
    if chosen is None or chosen is UrlFormat.TABLE:
        raise UsageError(
            f"cannot tell how to write {clean(target)}: end its name with .ndjson, .csv or .txt, or say --format"
        )
    return chosen


def write_results(
    session: Session, client: ApiClient, batch_id: str, file_format: ResultFormat, target: Path | None
) -> None:
    """Fetch a batch's results and write them to the target, or to stdout when it is None."""
    is_table = file_format is ResultFormat.TABLE
    pieces = client.batch_results(batch_id, file_format=ResultFormat.NDJSON if is_table else file_format)
    if is_table and target is None:
        session.show(_table(documents(pieces)))
        return
    put(session, [_table_as_text(pieces)] if is_table else pieces, file_format, target, what="Results")


def put(
    session: Session, pieces: Iterable[bytes], file_format: ResultFormat | UrlFormat, target: Path | None, *, what: str
) -> None:
    """Write what the API exports as it comes: to stdout, or to the target, whole or not at all. Raises CliError."""
    if target is None:
        session.show_lines(_for_stdout(lines(pieces), is_json=file_format == UrlFormat.NDJSON))
        return
    with _whole_file(target) as file:
        file.writelines(pieces)
    session.say(f"{what} are in {target}")


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """UTF-8 lines with their ends, whatever pieces they came in. Only a line feed ends one: JSON text may hold more."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace") + "\n"
    if rest:
        yield rest.decode("utf-8", "replace") + "\n"


def documents(pieces: Iterable[bytes]) -> Iterator[Document]:
    """The objects of NDJSON. Raises UnexpectedAnswer for anything else."""
    for line in lines(pieces):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise UnexpectedAnswer("the API's results are not NDJSON") from error
        if not isinstance(document, dict):
            raise UnexpectedAnswer("the API's results are not NDJSON of objects")
        yield document


def _check(target: Path | None) -> None:
    if target is not None and not target.parent.is_dir():
        raise UsageError(f"cannot write {clean(target)}: there is no folder {clean(target.parent)}")
    if target is not None and target.is_dir():
        raise UsageError(f"cannot write {clean(target)}: it is a folder")


def _for_stdout(given: Iterable[str], *, is_json: bool) -> Iterator[str]:
    """Lines that do not steer a terminal. NDJSON keeps its values; others have no escapes: only a terminal's change."""
    if is_json:
        return map(escape_json, given)
    return map(printable, given) if sys.stdout.isatty() else iter(given)


def _table(items: Iterator[Document]) -> Table:
    """The results of a batch, all of whose jobs are of one kind."""
    first = next(items, None)
    if first is None:
        return results_table(())
    of_kind = sitemap_results_table if is_sitemap_scan(first) else results_table
    return of_kind(itertools.chain([first], items))


def _table_as_text(pieces: Iterable[bytes]) -> bytes:
    text = io.StringIO()
    Console(file=text, width=PIPE_WIDTH, markup=False, emoji=False, highlight=False).print(_table(documents(pieces)))
    return text.getvalue().encode("utf-8")


@contextlib.contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the target's place when the block ends well, and leaves nothing when it does not.

    A device or a pipe has no place to take and is written to. Raises CliError.
    """
    real = target.resolve()
    # Asked of the target: what /dev/stdout leads to may be a pipe, which can be opened but has no name in a folder.
    in_place = target.exists() and not target.is_file()
    beside = target if in_place else real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("wb" if in_place else "xb") as file:
            yield file
        if not in_place:
            if real.exists():
                shutil.copymode(real, beside)
            os.replace(beside, real)
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if not in_place:
            beside.unlink(missing_ok=True)
