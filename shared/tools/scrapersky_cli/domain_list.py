"""Reads the domains of a batch from a file or from standard input.

| the first line                                               | is read as                                         |
| ------------------------------------------------------------ | -------------------------------------------------- |
| has a cell `domain`, `domains`, `url` or `website`, any case | CSV by `,`, `;` or tab: the first of these columns |
| has other cells, or the file is named .csv or .tsv           | an error: the header is missing                    |
| anything else                                                | a list: one domain a line                          |

Blank lines and comments (`#` at the beginning or, in a list, after a space) count for nothing. Whether an entry names
a domain is for the API to say, which tells why for each one that does not.
"""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scrapersky.domain.limits import MAX_DOMAINS
from scrapersky_cli.errors import UsageError
from scrapersky_cli.text import clean

STDIN = "-"
MAX_BYTES = 32 * 1024 * 1024  # ten thousand of the longest URLs fit; a video that was named by mistake does not
COLUMNS = ("domain", "domains", "url", "website")  # the order decides when a file has several of them
DELIMITERS = ",;\t"
_COMMENT = re.compile(r"(?:^|\s)#.*")  # not every #: an address may have a fragment
_CSV_NAMES = frozenset({".csv", ".tsv"})


def read_domains(source: str) -> list[str]:
    """The entries of the file (`-` is standard input), in its order and as they are written.

    Raises UsageError when there are none or too many, or when it cannot be told which ones.
    """
    name = "standard input" if source == STDIN else clean(source)
    text = _decode(_read(source, name), name)
    has_csv_name = source != STDIN and Path(source).suffix.lower() in _CSV_NAMES
    head = next((line for line in text.splitlines() if not _is_skipped(line)), "")
    delimiter = _delimiter(head)
    if _columns(_cells(head, delimiter)):
        domains = _from_csv(text, delimiter, name)
    elif head and (has_csv_name or _has_cells(head)):
        raise UsageError(
            f"{name} has no column to read: its first line must name one of them {', '.join(COLUMNS[:-1])} "
            f"or {COLUMNS[-1]}, and is: {clean(head)[:100]}"
        )
    else:
        domains = [entry for line in text.splitlines() if (entry := _COMMENT.sub("", line).strip())]
    if not domains:
        raise UsageError(f"{name} names no domain")
    if len(domains) > MAX_DOMAINS:
        raise UsageError(f"{name} names {len(domains)} domains; a batch takes {MAX_DOMAINS} at most, so split it")
    return domains


def _read(source: str, name: str) -> bytes:
    try:
        if source == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name} is larger than {MAX_BYTES // 1024**2} MiB: no list of {MAX_DOMAINS} domains is")
    return content


def _decode(content: bytes, name: str) -> str:
    """UTF-8, or the UTF-16 with a mark that spreadsheets save as "Unicode text"."""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no {encoding.removesuffix('-sig').upper()} text; save it as UTF-8") from error


def _is_skipped(line: str) -> bool:
    """A blank line or a comment; `#` is also what people call a column of numbers, so a header is none."""
    return not line.strip() or (line.lstrip().startswith("#") and not _columns(_cells(line, _delimiter(line))))


def _delimiter(head: str) -> str:
    """The one that names a column or, where none does, the one that makes the most cells of the first line."""
    return max(DELIMITERS, key=lambda one: (bool(_columns(_cells(head, one))), head.count(one)))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _has_cells(head: str) -> bool:
    """Whether a line is a row of cells. No host name holds a delimiter; after a slash, an address may."""
    return "/" not in head and any(delimiter in head for delimiter in DELIMITERS)


def _columns(cells: Sequence[str]) -> list[int]:
    """Where the columns that may hold domains are, the preferred one first."""
    names = [cell.strip().lower() for cell in cells]
    return [names.index(column) for column in COLUMNS if column in names]


def _from_csv(text: str, delimiter: str, name: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        return list(_column(rows))
    except csv.Error as error:
        raise UsageError(f"{name} is no CSV at line {rows.line_num}: {error}") from error


def _column(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The cells below the header that are not empty. Where a first cell of the header has a `#`, rows may as well."""
    position, has_comments = -1, True
    for row in rows:
        if position < 0:
            position = next(iter(_columns(row)), -1)
            has_comments = position <= 0 or not row[0].startswith("#")
        elif position < len(row) and (entry := row[position].strip()) and not (has_comments and row[0].startswith("#")):
            yield entry
