"""The options that several commands share, worded once."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from scrapersky.domain.limits import MAX_CONCURRENT
from scrapersky_cli.results import ResultFormat, UrlFormat

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
WorkId = Annotated[
    UUID, typer.Argument(metavar="ID", help="Of a job or a batch, as `scan`, `jobs`, `batch` and `batches` print it.")
]
BatchId = Annotated[UUID, typer.Argument(metavar="BATCH_ID", help="The batch's id, as `batch` and `batches` print it.")]
WebhookId = Annotated[
    UUID, typer.Argument(metavar="WEBHOOK_ID", help="The webhook's id, as `webhooks add` and `webhooks list` print it.")
]
Format = Annotated[
    ResultFormat | None,
    typer.Option(
        "--format",
        help="How results are written. [default: as -o's name ends (.ndjson, .jsonl, .csv), else table]",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write the results there, whole or not at all.", show_default=False
    ),
]
UrlsFormat = Annotated[
    UrlFormat | None,
    typer.Option(
        "--format",
        help="How URLs are written. [default: as -o's name ends (.ndjson, .jsonl, .csv, .txt), else a table]",
        show_default=False,
    ),
]
UrlsOutput = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write all URLs there, whole or not at all.", show_default=False
    ),
]
Domains = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="One domain a line, or CSV with a column domain, domains, url or website; - is standard input.",
    ),
]
MaxConcurrent = Annotated[
    int, typer.Option("--max-concurrent", min=1, max=MAX_CONCURRENT, help="Sites at the same time, at most.")
]
NewBatchId = Annotated[
    UUID | None,
    typer.Option(
        "--batch-id",
        help="The batch's id; asked for twice, it is one batch. [default: a new one]",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="How many to ask for at a time.")]
All = Annotated[bool, typer.Option("--all", help="All of them, not only the first --limit.")]
Cursor = Annotated[
    str | None, typer.Option("--cursor", help="Go on where an earlier page's next_cursor says.", show_default=False)
]
Stack = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="A stack on AWS. [default: the local stack]", show_default=False),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", help="Where --stack is. [default: as AWS_DEFAULT_REGION or ~/.aws/config say]", show_default=False
    ),
]
