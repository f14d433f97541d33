"""Each tenant has its turn: neither many events of one tenant nor many messages owed to it hold up those of another."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Final, LiteralString
from uuid import UUID, uuid5

import psycopg
import pytest

from conftest import TestDatabase
from integration.test_event_load import pages_read
from scrapersky.db import events, outbox
from scrapersky.db.connection import Database
from scrapersky.db.migrate import shipped
from support.webhooks import TOLD

FLOOD, SINGLE = UUID(int=1), UUID(int=2)
OTHERS: Final = [UUID(int=number) for number in range(100, 140)]  # one after the other, as some ids are
FEW = 10  # that a call takes, where there are more tenants than that


def happen(postgres: TestDatabase, tenants: Iterable[UUID], number: int, *, seconds_ago: int) -> None:
    """So many jobs of each tenant are complete, each a millisecond after the one before."""
    postgres.rows(
        "insert into scrapersky.events (tenant_id, type, job_id, data, correlation_id, held_until)"
        " select tenant_id, 'job.complete', gen_random_uuid(), %s::jsonb || jsonb_build_object('n', n), 'request-1',"
        " now() - make_interval(secs => %s) + n * interval '1 ms'"
        " from unnest(%s::uuid[]) as tenant_id, generate_series(1, %s) as n",
        json.dumps(TOLD),
        seconds_ago,
        list(tenants),
        number,
    )


def owe(postgres: TestDatabase, tenant_id: UUID, number: int, *, seconds_ago: int) -> None:
    """So many jobs of a tenant, whose messages are owed."""
    postgres.rows(
        "with job as ("
        " insert into scrapersky.jobs (id, tenant_id, kind, domain, request, correlation_id, created_by)"
        " select gen_random_uuid(), %s, 'domain_scan', 'a.example', '{}', 'request-1', 'user-1'"
        " from generate_series(1, %s) returning id, tenant_id)"
        " insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)"
        " select tenant_id, id, 'domain_scan', jsonb_build_object('of', tenant_id),"
        " now() - make_interval(secs => %s) from job",
        tenant_id,
        number,
        seconds_ago,
    )


def define(postgres: TestDatabase, migration: int, door: str, change: Callable[[str], str] = str) -> None:
    """Have a door as a migration made it, with a change to its text."""
    text = shipped()[migration - 1].text
    found = re.search(
        rf"^create (?:or replace )?(function scrapersky\.{door}\(.*?^\$\$;)", text, re.DOTALL | re.MULTILINE
    )
    assert found is not None
    postgres.rows("create or replace " + change(found[1]))


def taken_from(db: Database, limit: int, token: UUID) -> set[UUID]:
    return {event.tenant_id for event in events.take(db, token, limit=limit)}


def tokens(number: int) -> list[UUID]:
    """As random as those of dispatchers, and the same in each run."""
    return [uuid5(FLOOD, str(place)) for place in range(number)]


# --- events ---


def test_one_event_does_not_wait_for_the_thousands_of_another_tenant(db: Database, postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 3 * events.TAKE_LIMIT, seconds_ago=60)
    happen(postgres, [SINGLE], 1, seconds_ago=1)
    taken = events.take(db, tokens(1)[0])
    assert [event.tenant_id for event in taken if event.tenant_id != FLOOD] == [SINGLE]
    # Nothing of the limit is left unused, and in its own order each tenant's oldest come first.
    of_the_flood = sorted(event.data["n"] for event in taken if event.tenant_id == FLOOD)
    assert of_the_flood == list(range(1, events.TAKE_LIMIT))


def test_control_by_their_age_alone_it_does(db: Database, postgres: TestDatabase) -> None:
    define(postgres, 8, "take_events")
    happen(postgres, [FLOOD], 3 * events.TAKE_LIMIT, seconds_ago=60)
    happen(postgres, [SINGLE], 1, seconds_ago=1)
    assert taken_from(db, events.TAKE_LIMIT, tokens(1)[0]) == {FLOOD}


def test_tenants_share_alike(db: Database, postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 100, seconds_ago=60)
    happen(postgres, OTHERS[:3], 100, seconds_ago=1)
    taken = [event.tenant_id for event in events.take(db, tokens(1)[0], limit=40)]
    assert {tenant_id: taken.count(tenant_id) for tenant_id in taken} == dict.fromkeys([FLOOD, *OTHERS[:3]], 10)


def test_of_more_tenants_than_a_call_takes_all_have_their_turn(db: Database, postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 100, seconds_ago=60)
    happen(postgres, OTHERS, 50, seconds_ago=1)
    # Each is met by a fifth of all calls, more or less: (1 - 0.2) ** 50 is a hundred thousandth.
    met = [taken_from(db, FEW, token) for token in tokens(50)]
    assert set().union(*met) == {FLOOD, *OTHERS}
    assert all(len(tenants) >= FEW - 1 for tenants in met)  # of nine in the circle, and of the flood


def test_control_from_one_point_alone_most_tenants_wait(db: Database, postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 100, seconds_ago=60)
    happen(postgres, OTHERS, 50, seconds_ago=1)
    assert len(set().union(*(taken_from(db, FEW, tokens(1)[0]) for _ in range(50)))) <= FEW


def test_what_has_waited_longest_is_taken_wherever_its_tenant_stands(db: Database, postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 100, seconds_ago=60)
    happen(postgres, OTHERS, 50, seconds_ago=1)
    met = taken_from(db, FEW, tokens(1)[0])
    passed_over = next(tenant_id for tenant_id in OTHERS if tenant_id not in met)
    assert passed_over not in taken_from(db, FEW, tokens(1)[0])  # a control: luck does not help it
    happen(postgres, [passed_over], 1, seconds_ago=120)
    assert passed_over in taken_from(db, FEW, tokens(1)[0])


def test_two_dispatchers_at_once_take_what_the_other_does_not(postgres: TestDatabase) -> None:
    assert_skips_what_is_locked(postgres)


def test_control_without_skipping_the_second_waits_for_the_first(postgres: TestDatabase) -> None:
    define(postgres, 10, "take_events", lambda text: text.replace(" skip locked", ""))
    with pytest.raises(psycopg.errors.LockNotAvailable):
        assert_skips_what_is_locked(postgres)


def assert_skips_what_is_locked(postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 50, seconds_ago=60)
    happen(postgres, [SINGLE], 50, seconds_ago=1)
    take = "select id from scrapersky.take_events(%s, interval '1 minute', 30)"
    with psycopg.connect(postgres.direct_app_dsn) as one, psycopg.connect(postgres.direct_app_dsn) as other:
        other.execute("set lock_timeout = '200 ms'")
        first, second = (  # neither has committed
            {row[0] for row in connection.execute(take, (token,))}
            for connection, token in zip((one, other), tokens(2), strict=True)
        )
    assert (len(first), len(second), len(first & second)) == (30, 30, 0)


TAKE: Final[LiteralString] = "select id from scrapersky.take_events(%(token)s, interval '1 minute', 100)"
FEW_PAGES = 6_000  # a hundred rows are written, in nine indexes; going from tenant to tenant adds some hundreds


def test_a_call_costs_the_same_whatever_waits(postgres: TestDatabase) -> None:
    happen(postgres, [FLOOD], 20_000, seconds_ago=60)  # and no statistics, as after a minute in which much has ended
    happen(postgres, [UUID(int=number) for number in range(1000, 2000)], 1, seconds_ago=1)
    first, second = tokens(2)
    with psycopg.connect(postgres.direct_dsn, autocommit=True) as connection:
        assert pages_read(connection, TAKE, {"token": first}) < FEW_PAGES
        connection.execute("vacuum (analyze) scrapersky.events")
        assert pages_read(connection, TAKE, {"token": second}) < FEW_PAGES
        connection.execute("drop index scrapersky.events_by_turn")  # a control
        assert pages_read(connection, TAKE, {"token": first}) > 10 * FEW_PAGES


# --- owed messages ---


def test_one_message_does_not_wait_for_the_thousands_of_another_tenant(db: Database, postgres: TestDatabase) -> None:
    owe(postgres, FLOOD, 2 * outbox.TAKE_LIMIT, seconds_ago=60)
    owe(postgres, SINGLE, 1, seconds_ago=1)
    taken = [message.body["of"] for message in outbox.take(db)]
    assert (taken.count(str(SINGLE)), len(taken)) == (1, outbox.TAKE_LIMIT)
    rest = [message.body["of"] for message in outbox.take(db)]
    assert rest == [str(FLOOD)] * outbox.TAKE_LIMIT
    assert [message.body["of"] for message in outbox.take(db)] == [str(FLOOD)]
    assert outbox.take(db) == []


def test_control_by_its_age_alone_it_does(db: Database, postgres: TestDatabase) -> None:
    define(postgres, 2, "take_outbox")
    owe(postgres, FLOOD, 2 * outbox.TAKE_LIMIT, seconds_ago=60)
    owe(postgres, SINGLE, 1, seconds_ago=1)
    assert {message.body["of"] for message in outbox.take(db)} == {str(FLOOD)}


def test_messages_of_more_tenants_than_a_call_takes_all_have_their_turn(db: Database, postgres: TestDatabase) -> None:
    for tenant_id in OTHERS[:20]:
        owe(postgres, tenant_id, 50, seconds_ago=1)
    owe(postgres, FLOOD, 300, seconds_ago=60)
    met: set[str] = set()
    calls = 0
    while len(met) < 21 and calls < 60:  # at random; the least likely is met by a third: once in 10**9 runs all miss it
        met |= {message.body["of"] for message in outbox.take(db, limit=FEW)}
        calls += 1
    assert met == {str(tenant_id) for tenant_id in [FLOOD, *OTHERS[:20]]}
