"""`scrapersky`: scan sites and see what was found, from the command line.

Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 the job or batch failed or was
cancelled or the API refused, 2 the command line or the configuration is wrong, 130 interrupted.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from scrapersky_cli import (
    batch_commands,
    dlq_commands,
    health_commands,
    job_commands,
    known_commands,
    local_commands,
    places_commands,
    places_read_commands,
    sitemap_commands,
    sitemap_read_commands,
    steer_commands,
    webhook_commands,
    webhook_log_commands,
)
from scrapersky_cli.errors import CliError
from scrapersky_cli.session import session_of


class Commands(TyperGroup):
    """Turns what a command raises on purpose into one line on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            session_of(ctx).say(f"error: {error.message}")
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    name="scrapersky",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def about() -> None:
    """Turn a domain into stored, sourced facts about the company behind it.

    The commands talk to the API at SCRAPERSKY_API_URL with SCRAPERSKY_TOKEN or, when these are not set, to the
    local stack that `scrapersky up` runs: in --data-dir, SCRAPERSKY_DATA_DIR or ./.scrapersky, else wherever.

    Exit codes: 0 done; 1 the job or batch failed or was cancelled, or the API refused; 2 wrong command line
    or configuration; 130 interrupted.

    \b
    Examples:
      scrapersky demo
      scrapersky up
      scrapersky scan shop.example
      scrapersky batch domains.txt -o facts.csv
      scrapersky sitemap shop.example -o urls.csv
      scrapersky places dentist "Austin TX" --scan
      scrapersky webhooks add https://hooks.shop.example/in
      scrapersky health
    """


_MODULES = (
    job_commands,
    batch_commands,
    sitemap_commands,
    places_commands,
    steer_commands,
    known_commands,
    sitemap_read_commands,
    places_read_commands,
    webhook_log_commands,
    health_commands,
    local_commands,
)
for _module in _MODULES:
    for _command in _module.COMMANDS:
        app.command()(_command)
app.add_typer(webhook_commands.group)
app.add_typer(dlq_commands.group)


def main() -> None:
    app()
