"""The commands that make, change and try webhooks."""

from typing import Annotated
from uuid import UUID

import typer

from scrapersky_cli import listing, options
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.errors import NOT_COMPLETE, CliError, UsageError, of_either
from scrapersky_cli.render import list_of, mapping
from scrapersky_cli.session import Session, session_of
from scrapersky_cli.webhook_render import (
    VERIFY,
    Subscribed,
    delivery_view,
    is_delivered,
    webhook_view,
    webhooks_table,
)
from scrapersky_cli.webhooks_api import WebhooksApi

TEST_LOOKS = 60  # one a second: a test is tried within two, and a minute later where a message was lost
TEST_PAUSE_SECONDS = 1.0

group = typer.Typer(
    name="webhooks",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Be told when jobs and batches end: make webhooks, see what they were told, have it told again.

    A receiver is sent a signed POST for each event that it asked for (Standard Webhooks). What is not answered with a
    2xx is sent again, for three days.

    \b
    Examples:
      scrapersky webhooks add https://hooks.shop.example/in
      scrapersky webhooks test 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
      scrapersky webhooks deliveries 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
    """,
)

Events = Annotated[
    list[Subscribed] | None, typer.Option("--event", help="A type to be told of; repeatable. [default: all]")
]
Url = Annotated[str, typer.Argument(metavar="URL", help="http or https, a public host, port 80 or 443.")]


@group.command("add")
def add(
    context: typer.Context,
    url: Url,
    event: Events = None,
    description: Annotated[str | None, typer.Option("--description", help="For people: what is there.")] = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Make a webhook, and show its secret, which is told only now.

    \b
    Examples:
      scrapersky webhooks add https://hooks.shop.example/in
      scrapersky webhooks add https://hooks.shop.example/in --event job.failed --event batch.complete
      scrapersky webhooks add https://hooks.shop.example/in --json | jq -r .secret
    """
    body: Document = {"url": url, "events": _types(event), "description": description}
    session = session_of(context)
    with session.client(data_dir) as client:
        made = WebhooksApi(client).create({name: value for name, value in body.items() if value is not None})
    _show(session, made, as_json=as_json)
    if not as_json:
        session.say(VERIFY)


@group.command("list")
def list_webhooks(
    context: typer.Context,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the webhooks, the newest first.

    \b
    Examples:
      scrapersky webhooks list
      scrapersky webhooks list --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = listing.fetch(
            lambda at: WebhooksApi(client).webhooks(limit=limit, cursor=at), cursor=cursor, everything=everything
        )
    listing.show(session, document, webhooks_table, as_json=as_json)


@group.command("show")
def show(
    context: typer.Context,
    identity: Annotated[UUID, typer.Argument(metavar="ID", help="Of a webhook, or of one of its deliveries.")],
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show a webhook, or a delivery with each of its attempts.

    \b
    Examples:
      scrapersky webhooks show 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        api = WebhooksApi(client)
        document = of_either(
            lambda: api.webhook(identity),
            lambda: api.delivery(identity),
            neither=f"There is neither a webhook nor a delivery {identity}.",
        )
    if as_json:
        session.show_json(document)
    else:
        session.show(*(delivery_view(document) if "event_id" in document else webhook_view(document)))


@group.command("update")
def update(
    context: typer.Context,
    webhook_id: options.WebhookId,
    url: Annotated[str | None, typer.Option("--url", help="Its new address.")] = None,
    event: Events = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Tell it of all types.")] = False,
    description: Annotated[
        str | None, typer.Option("--description", help='For people: what is there. "" takes it away.')
    ] = None,
    enabled: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Take it for well again, or deliver nothing more.", show_default=False),
    ] = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Change a webhook; what is not named stays as it is.

    --enable also ends the pause after failures, and brings one back that was disabled because it failed for days.

    \b
    Examples:
      scrapersky webhooks update 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --enable
      scrapersky webhooks update 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --url https://new.shop.example/in --all-events
    """
    if event and all_events:
        raise UsageError("--event and --all-events exclude each other")
    changes: Document = {"url": url, "events": _types(event), "enabled": enabled}
    changes = {name: value for name, value in changes.items() if value is not None}
    if all_events:
        changes["events"] = None
    if description is not None:
        changes["description"] = description or None
    if not changes:
        raise UsageError("nothing to change: name --url, --event, --all-events, --description, --enable or --disable")
    session = session_of(context)
    with session.client(data_dir) as client:
        document = WebhooksApi(client).change(webhook_id, changes)
    _show(session, document, as_json=as_json)


@group.command("remove")
def remove(context: typer.Context, webhook_id: options.WebhookId, data_dir: options.DataDir = None) -> None:
    """Delete a webhook with its deliveries; those that are pending are not made any more.

    \b
    Examples:
      scrapersky webhooks remove 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        WebhooksApi(client).delete(webhook_id)
    session.say(f"webhook {webhook_id} is deleted")


@group.command("rotate")
def rotate(
    context: typer.Context,
    webhook_id: options.WebhookId,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Give a webhook another secret, and show it, which is told only now.

    For 24 hours deliveries are signed with the secret before as well. Rotated again within them, only the last two
    secrets sign.

    \b
    Examples:
      scrapersky webhooks rotate 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = WebhooksApi(client).rotate(webhook_id)
    if as_json:
        session.show_json(document)
    else:
        session.show_lines([f"{document.get('secret')}\n"])
        session.say(f"The secret before signs as well until {document.get('previous_secret_expires_at')}. {VERIFY}")


@group.command("test")
def send_test(
    context: typer.Context,
    webhook_id: options.WebhookId,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the first try, or only ask for it.")] = True,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Send a webhook an event of type webhook.test, and say what its receiver answered.

    Exits with 1 when it was not delivered.

    \b
    Examples:
      scrapersky webhooks test 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = WebhooksApi(client).test(webhook_id)
        document = _first_try(session, client, accepted.status_url) if wait else accepted.document
    if as_json:
        session.show_json(document)
    elif wait:
        session.show(*delivery_view(document))
    else:
        session.say(f"event {accepted.work_id} is on its way: scrapersky webhooks deliveries {webhook_id}")
    if wait and not is_delivered(document):
        raise typer.Exit(NOT_COMPLETE)


def _first_try(session: Session, client: ApiClient, status_url: str) -> Document:
    """The delivery that an address leads to, once it was tried; as it stands when that takes too long."""
    api = WebhooksApi(client)
    for _ in range(TEST_LOOKS):
        found = [mapping(item) for item in list_of(client.document("GET", status_url).get("items"))]
        if found and found[0].get("attempts"):
            return api.delivery(UUID(str(found[0].get("id"))))
        session.sleep(TEST_PAUSE_SECONDS)
    raise CliError("it was not tried within a minute: scrapersky webhooks deliveries shows what becomes of it")


def _types(events: list[Subscribed] | None) -> list[str] | None:
    return [event.value for event in events] if events else None


def _show(session: Session, document: Document, *, as_json: bool) -> None:
    if as_json:
        session.show_json(document)
    else:
        session.show(*webhook_view(document))
