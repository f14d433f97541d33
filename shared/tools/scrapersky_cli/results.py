"""Writes what a batch found: a table for people, or the API's NDJSON or CSV; to stdout, or whole into a file."""

import contextlib
import io
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

from scrapersky_cli.batch_render import results_table
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.errors import CliError, UnexpectedAnswer, UsageError
from scrapersky_cli.session import PIPE_WIDTH, Session
from scrapersky_cli.text import clean, escape_json, printable


class ResultFormat(StrEnum):
    """How results are written. The last two are the API's own."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"


_BY_ENDING = {".ndjson": ResultFormat.NDJSON, ".jsonl": ResultFormat.NDJSON, ".csv": ResultFormat.CSV}


def chosen_format(asked: ResultFormat | None, target: Path | None) -> ResultFormat:
    """The format that was asked for or, when none was, the one that the file's name ends with.

    Raises UsageError when the target cannot be written, so that this shows before the work and not after it.
    """
    if target is not None and not target.parent.is_dir():
        raise UsageError(f"cannot write {clean(target)}: there is no folder {clean(target.parent)}")
    if target is not None and target.is_dir():
        raise UsageError(f"cannot write {clean(target)}: it is a folder")
    ending = target.suffix.lower() if target is not None else ""
    return asked or _BY_ENDING.get(ending, ResultFormat.TABLE)


def write_results(
    session: Session, client: ApiClient, batch_id: str, file_format: ResultFormat, target: Path | None
) -> None:
    """Fetch a batch's results and write them to the target, or to stdout when it is None."""
    is_table = file_format is ResultFormat.TABLE
    pieces = client.batch_results(batch_id, file_format=ResultFormat.NDJSON if is_table else file_format)
    if target is None:
        if is_table:
            session.show(results_table(documents(pieces)))
        else:
            session.show_lines(_for_stdout(lines(pieces), file_format))
        return
    if is_table:
        pieces = iter([_table_as_text(pieces)])
    with _whole_file(target) as file:
        file.writelines(pieces)
    session.say(f"Results are in {target}")


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


def _for_stdout(given: Iterable[str], file_format: ResultFormat) -> Iterator[str]:
    """Lines that do not steer a terminal. NDJSON keeps its values; CSV has no escapes, so only a terminal's changes."""
    if file_format is ResultFormat.NDJSON:
        return map(escape_json, given)
    return map(printable, given) if sys.stdout.isatty() else iter(given)


def _table_as_text(pieces: Iterable[bytes]) -> bytes:
    text = io.StringIO()
    Console(file=text, width=PIPE_WIDTH, markup=False, emoji=False, highlight=False).print(
        results_table(documents(pieces))
    )
    return text.getvalue().encode("utf-8")


@contextlib.contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the target's place when the block ends well, and leaves nothing when it does not.

    A device or a pipe has no place to take and is written to. Raises CliError.
    """
    real = target.resolve()
    in_place = real.exists() and not real.is_file()
    beside = real if in_place else real.with_name(f".{real.name}.{secrets.token_hex(4)}")
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
