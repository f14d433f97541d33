"""The commands for dead-letter queues: what is in them, and the way back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from scrapersky_cli import dead_letters, options
from scrapersky_cli.cloud import Cloud, open_cloud
from scrapersky_cli.dead_letters import DeadLetterQueue, Letter, Moved
from scrapersky_cli.errors import CliError, UsageError
from scrapersky_cli.measures import Measure, newest, now
from scrapersky_cli.render import add_row, table
from scrapersky_cli.session import Session, session_of

_AGE_WINDOW = timedelta(minutes=15)  # AWS tells a queue's age every minute, some minutes late
_PEEK_LIMIT = 1000

group = typer.Typer(
    name="dlq",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""See what is in the dead-letter queues, and move it back.

    A message comes there when it was received five times and never worked off. Those of scans, sitemaps and places
    are then worked off by the function dead_letter, which ends their jobs as failed (worker_lost): what stays there
    says that dead_letter itself fails. Nobody works off those of batches, events and webhooks. A batch message that
    is malformed is put there by batch_start, for people to look at.

    \b
    Examples:
      scrapersky dlq list
      scrapersky dlq redrive BatchDeadLetterQueue
    """,
)


@group.command("list")
def list_queues(
    context: typer.Context,
    stack: options.Stack = None,
    region: options.Region = None,
    messages: Annotated[
        int,
        typer.Option(
            "--messages", metavar="N", min=0, max=_PEEK_LIMIT, help="Show up to N messages of each queue; they stay."
        ),
    ] = 0,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the dead-letter queues of a stack: how much is in each, how old, and where it came from.

    With --messages it shows what they say. They are hidden from others for that long, a minute at the most, and
    stay where they are; their count of receives grows.

    \b
    Examples:
      scrapersky dlq list
      scrapersky dlq list --messages 5
      scrapersky dlq list --stack scrapersky --region eu-central-1 --json
    """
    session = session_of(context)
    cloud = open_cloud(stack, region, data_dir, session.environ)
    sqs, found = _find(cloud)
    ages = _ages(cloud, found)
    letters = _peek(sqs, found, messages) if messages else {}
    if as_json:
        session.show_json({"stack": cloud.stack, "items": [_document(dead, ages, letters) for dead in found]})
        return
    session.show(_queues_table(found, ages), *_letters_tables(found, letters))


@group.command("redrive")
def redrive(
    context: typer.Context,
    queue: Annotated[
        str, typer.Argument(metavar="QUEUE", help="The dead-letter queue, by its id in the template or its name.")
    ],
    maximum: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="Move at most N. [default: all]", show_default=False)
    ] = None,
    stack: options.Stack = None,
    region: options.Region = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Move the messages of a dead-letter queue back to the queue that gave them up.

    Mend the cause first: each gets five more tries, and then is back. A job that dead_letter has ended as failed
    ignores its message; `scrapersky retry JOB` begins it anew. So for scans, sitemaps and places this is for what
    dead_letter could not work off.

    A message is sent before it is deleted, so none is lost, whatever breaks in between. One may then come twice,
    which changes nothing: the second finds its work done. Exits with 1 when some could not be moved; they stay. So
    do those that dead_letter is at just then: it holds what it failed at for three minutes.

    \b
    Examples:
      scrapersky dlq redrive BatchDeadLetterQueue
      scrapersky dlq redrive ScanDeadLetterQueue --max 10
      scrapersky dlq redrive EventDeadLetterQueue --stack scrapersky --region eu-central-1
    """
    session = session_of(context)
    cloud = open_cloud(stack, region, data_dir, session.environ)
    sqs, found = _find(cloud)
    dead = _named(queue, found)

    def follow(so_far: Moved) -> None:
        if not as_json and dead.depth > dead_letters.RECEIVE_LIMIT:
            session.say(f"{so_far.moved} of about {dead.depth} moved")

    moved = dead_letters.redrive(sqs, dead, maximum, follow)
    left = sum(moved.left.values())
    if as_json:
        session.show_json(
            {
                "queue": dead.queue.name,
                "moved": moved.moved,
                "sent_but_not_removed": moved.twice,
                "came_back": moved.came_back,
                "left": moved.left,
                "not_received": moved.not_received,
            }
        )
    else:
        _tell(session, dead, moved)
    if left or moved.twice or moved.not_received:
        raise typer.Exit(1)


def _tell(session: Session, dead: DeadLetterQueue, moved: Moved) -> None:
    back = " and ".join(source.name for source in dead.sources)
    session.show(f"{moved.moved} {'message' if moved.moved == 1 else 'messages'} moved to {back}")
    if moved.came_back:
        session.say(f"{moved.came_back} came back meanwhile and stay: their cause is still there")
    if moved.twice:
        session.say(f"{moved.twice} were sent but could not be removed here: they come twice, which changes nothing")
    if moved.not_received:
        session.say(
            f"{moved.not_received} were not to be had: somebody else has received them; try again in a few minutes"
        )
    for reason, count in moved.left.items():
        session.say(f"{count} stay: {reason}")


def _find(cloud: Cloud) -> tuple[Any, list[DeadLetterQueue]]:
    resources = cloud.facts().of_kind(dead_letters.QUEUE)
    sqs = cloud.client("sqs")
    found = dead_letters.find(sqs, resources)
    if not found:
        raise CliError(f"the stack {cloud.stack} has no dead-letter queue")
    return sqs, found


def _peek(sqs: Any, found: Sequence[DeadLetterQueue], limit: int) -> dict[str, list[Letter]]:
    """By queue name; an empty queue is not waited for."""
    return {dead.queue.name: dead_letters.peek(sqs, dead.queue, limit) if dead.depth else [] for dead in found}


def _named(name: str, found: Sequence[DeadLetterQueue]) -> DeadLetterQueue:
    for dead in found:
        if name in (dead.queue.logical_id, dead.queue.name, dead.queue.url, dead.queue.arn):
            return dead
    names = ", ".join(dead.queue.logical_id for dead in found)
    raise UsageError(f"{name} is none of the stack's dead-letter queues: {names}")


def _ages(cloud: Cloud, found: Sequence[DeadLetterQueue]) -> dict[str, float]:
    """Seconds, by queue name, of those that CloudWatch tells and that are not empty."""
    measures = {
        dead.queue.name: Measure(
            "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", dimensions=(("QueueName", dead.queue.name),)
        )
        for dead in found
        if dead.depth
    }
    readings = newest(cloud.client("cloudwatch"), measures, _AGE_WINDOW, now()) if measures else {}
    return {name: reading.value for name, reading in readings.items()}


def _document(dead: DeadLetterQueue, ages: dict[str, float], letters: dict[str, list[Letter]]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "queue": dead.queue.logical_id,
        "name": dead.queue.name,
        "url": dead.queue.url,
        "sources": [source.name for source in dead.sources],
        "messages": dead.depth,
        "in_flight": dead.in_flight,
        "oldest_age_seconds": ages.get(dead.queue.name),
    }
    if dead.queue.name in letters:
        document["peeked"] = [
            {
                "message_id": letter.message_id,
                "sent_at": _time(letter),
                "receives": letter.receives,
                "source": letter.source,
                "attributes": dict(letter.attributes),
                "body": letter.body,
            }
            for letter in letters[dead.queue.name]
        ]
    return document


def _queues_table(found: Sequence[DeadLetterQueue], ages: dict[str, float]) -> Table:
    made = table(None, "queue", "messages", "in flight", "oldest", "from")
    for dead in found:
        age = ages.get(dead.queue.name)
        oldest = "" if not dead.depth else "not told" if age is None else str(timedelta(seconds=round(age)))
        sources = ", ".join(source.logical_id for source in dead.sources)
        add_row(made, (dead.queue.logical_id, dead.depth, dead.in_flight or "", oldest, sources))
    return made


def _letters_tables(found: Sequence[DeadLetterQueue], letters: dict[str, list[Letter]]) -> Iterator[Table]:
    for dead in found:
        if seen := letters.get(dead.queue.name):
            made = table(f"\n{dead.queue.logical_id}", "sent", "receives", "body", "attributes")
            for letter in seen:
                attributes = " ".join(f"{name}={value}" for name, value in letter.attributes.items())
                add_row(made, (_time(letter), letter.receives, letter.body, attributes))
            yield made


def _time(letter: Letter) -> str | None:
    if letter.sent_at is None:
        return None
    return datetime.fromtimestamp(letter.sent_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
