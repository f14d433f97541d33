"""The command that tells how a stack is."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from scrapersky_cli import health_facts, options
from scrapersky_cli.cloud import LOCAL_PLACE, LOCAL_STACK, Cloud, CloudUnreachable, NotRunning, open_cloud
from scrapersky_cli.errors import CliError
from scrapersky_cli.health_rules import Check, Kind, Report, Verdict, answering, judge, stopped
from scrapersky_cli.measures import now
from scrapersky_cli.render import add_row, table
from scrapersky_cli.session import Session, session_of

UNKNOWN = 3  # as monitoring tools have it; 2 is taken by `down`
_STYLES = {Verdict.OK: "green", Verdict.DEGRADED: "yellow", Verdict.DOWN: "red"}
_TIMED = {Kind.API, Kind.DATABASE}
_EXACT_ENOUGH = 100  # what has three digits before the point needs none behind it


class Unknown(CliError):
    """It could not be found out how the stack is."""

    exit_code = UNKNOWN


def health(
    context: typer.Context,
    stack: options.Stack = None,
    region: options.Region = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Tell how a stack is: whether it answers, which alarms ring, what waits.

    Looks at the API and, through it, the database; at every alarm of the stack; and at what the sweeper told in the
    last five minutes. What is not as it should be comes with what to do.

    \b
    down      the API or the database does not answer, or the local stack was stopped
    degraded  an alarm rings or lacks its data, something that the sweeper measures is beyond the threshold of an
              alarm (which waits for some minutes of it), or the sweeper told nothing for five minutes
    ok        nothing of that

    In its first minutes a stack has told nothing yet, and an alarm that rings when nothing comes does: that is
    shown as `starting`, and counts as ok until there should be data.

    Exit codes: 0 ok; 1 degraded; 2 down, or a wrong command line; 3 it could not be found out (there never was such
    a stack, no credentials, no permission). Needs cloudformation:DescribeStacks and ListStackResources,
    cloudwatch:DescribeAlarms and GetMetricData.

    \b
    Examples:
      scrapersky health
      scrapersky health --stack scrapersky --region eu-central-1
      scrapersky health --json | jq .verdict
    """
    session = session_of(context)
    name, where, at = stack or LOCAL_STACK, LOCAL_PLACE, now()
    try:
        cloud = open_cloud(stack, region, data_dir, session.environ)
        name, where = cloud.stack, cloud.where
        report = _report(session, cloud, at)
    except NotRunning as error:
        report = stopped(error.message)
    except CliError as error:
        raise Unknown(error.message) from error
    if as_json:
        session.show_json(_document(name, where, report, at))
    else:
        session.show(_table(name, where, report, at), "", *_runbook(name, report), _line(report))
    raise typer.Exit(report.verdict)


COMMANDS = (health,)


def _report(session: Session, cloud: Cloud, at: datetime) -> Report:
    try:
        facts = cloud.facts()
        api, database = health_facts.probes(facts.api_url, session.transport)
        return judge(health_facts.look(cloud, facts, api, database, at))
    except CloudUnreachable:
        # Of the local stack both are one: when its services are gone, so is its API, and that is no riddle.
        if cloud.api_url is None:
            raise
        api, database = health_facts.probes(cloud.api_url, session.transport)
        if api.status is None:
            return stopped(f"nothing answers at {cloud.api_url}: start it with `scrapersky up`")
        report = Report(tuple(answering(api, database)))
        if report.verdict is not Verdict.DOWN:
            raise
        return report


def _runbook(stack: str, report: Report) -> Iterator[str]:
    """Where it says what to do about the alarms that count, if there are any."""
    if names := [_short(check, stack) for check in report.checks if check.kind is Kind.ALARM and check.verdict]:
        yield f"The runbook (README.md, Operations) has an entry for each of: {', '.join(names)}"


def _line(report: Report) -> Text:
    verdict = report.verdict
    line = Text(verdict.word, style=f"bold {_STYLES[verdict]}")
    named = ", ".join(check.name for check in report.reasons)
    return line.append(f": {named}" if named else f": {len(report.checks)} checks", style="")


def _table(stack: str, where: str, report: Report, at: datetime) -> Table:
    made = table(f"{stack} in {where}", "check", "state", "value", "threshold", "since", "what to do")
    for check in report.checks:
        hint = check.hint if check.state != "ok" else ""
        state = Text(check.state, style=_STYLES[check.verdict])
        add_row(made, (_short(check, stack), state, shown_value(check), check.threshold, _since(check, at), hint))
    return made


def _short(check: Check, stack: str) -> str:
    return check.name.removeprefix(f"{stack}-") if check.kind is Kind.ALARM else check.name


def shown_value(check: Check) -> str:
    """The figure as a person reads it: whole milliseconds, and otherwise three digits that count."""
    if check.value is None:
        return ""
    if check.kind in _TIMED:
        return f"{check.value:,.0f} ms" if check.value >= 1 else "<1 ms"
    is_whole = check.value.is_integer() or abs(check.value) >= _EXACT_ENOUGH
    return f"{check.value:,.0f}" if is_whole else f"{check.value:.3g}"


def _since(check: Check, at: datetime) -> str:
    """The time, with the day when it is not today's."""
    if check.since is None:
        return ""
    form = "%H:%M:%S" if check.since.astimezone().date() == at.astimezone().date() else "%Y-%m-%d %H:%M"
    return check.since.astimezone().strftime(form)


def _document(stack: str, where: str, report: Report, at: datetime) -> dict[str, Any]:
    return {
        "stack": stack,
        "where": where,
        "verdict": report.verdict.word,
        "checked_at": _iso(at),
        "reasons": [check.name for check in report.reasons],
        "checks": [
            {
                "name": check.name,
                "kind": check.kind.value,
                "state": check.state,
                "verdict": check.verdict.word,
                "value": check.value,
                "threshold": check.threshold,
                "since": _iso(check.since) if check.since else None,
                "hint": check.hint,
            }
            for check in report.checks
        ],
    }


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
