"""The options that several commands share, worded once."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        file_okay=False,
        help="Folder of the local stack. [default: SCRAPERSKY_DATA_DIR, else .scrapersky]",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON document and nothing else.")]
JobId = Annotated[UUID, typer.Argument(metavar="ID", help="The job's id, as `scan` and `jobs` print it.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="How many to ask for at a time.")]
All = Annotated[bool, typer.Option("--all", help="All of them, not only the first --limit.")]
Cursor = Annotated[
    str | None, typer.Option("--cursor", help="Go on where an earlier page's next_cursor says.", show_default=False)
]
