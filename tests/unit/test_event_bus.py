"""The bus: ten entries and 256 KB a call, every answer looked through, and none in another's way."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from scrapersky import event_bus
from scrapersky.domain.events import Event
from scrapersky.event_bus import CALL_LIMIT, SIZE_LIMIT, EventBus, Put
from unit.test_events import ended

Answer = Callable[[list[dict[str, Any]]], list[dict[str, str]]]


class Client:
    """EventBridge's one call; `answer` makes the entries of an answer, or raises."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or (lambda entries: [{"EventId": "e"} for _ in entries])
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.calls.append(Entries)
        return {"Entries": self.answer(Entries)}


def events(count: int, size: int = 0) -> list[Event]:
    event = ended()
    return [replace(event, id=uuid4(), data={**event.data, "domain": "x" * size}) for _ in range(count)]


def put(client: Client, given: list[Event], *, seconds: float = 60) -> Put:
    bus = EventBus(lambda: client, "jobs")  # type: ignore[arg-type,return-value]
    return bus.put(given, deadline=time.monotonic() + seconds)


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutEvents")


def test_events_go_ten_at_a_time_under_their_source_and_type() -> None:
    client, given = Client(), events(23)
    assert put(client, given).taken == {event.id for event in given}
    assert [len(call) for call in client.calls] == [10, 10, 3]
    entry = client.calls[0][0]
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == ("scrapersky", "job.complete", "jobs")
    assert entry["Time"] == given[0].occurred_at
    assert str(given[0].id) in entry["Detail"]


def test_a_call_is_no_larger_than_the_service_takes() -> None:
    client, given = Client(), events(7, size=SIZE_LIMIT // 3)
    assert len(put(client, given).taken) == 7
    assert [len(call) for call in client.calls] == [2, 2, 2, 1]
    assert all(sum(map(event_bus._size, call)) <= SIZE_LIMIT for call in client.calls)  # type: ignore[arg-type]


def test_what_is_too_large_for_any_call_is_refused_alone() -> None:
    client = Client()
    given = [*events(1), *events(1, size=SIZE_LIMIT), *events(1)]
    answer = put(client, given)
    assert answer.refused == {given[1].id: "TooLarge"}
    assert answer.taken == {given[0].id, given[2].id}


@pytest.mark.parametrize(
    ("code", "is_final"),
    [
        ("MalformedDetail", True),
        ("InvalidArgument", True),
        ("ThrottlingException", False),
        ("InternalFailure", False),
        ("NotAuthorizedForSourceException", False),
        ("SomethingNew", False),
    ],
)
def test_an_entry_that_failed_in_a_call_that_succeeded_is_told(code: str, is_final: bool) -> None:
    given = events(3)
    client = Client(lambda _: [{"EventId": "a"}, {"ErrorCode": code, "ErrorMessage": "no"}, {"EventId": "c"}])
    answer = put(client, given)
    assert answer.taken == {given[0].id, given[2].id}
    assert answer.refused == ({given[1].id: code} if is_final else {})
    assert answer.delayed == ({} if is_final else {given[1].id: code})


def test_an_entry_that_spoils_its_call_is_found_and_the_others_are_put() -> None:
    given = events(CALL_LIMIT + 1)
    spoiled = str(given[4].id)

    def refuse(entries: list[dict[str, Any]]) -> list[dict[str, str]]:
        if any(spoiled in entry["Detail"] for entry in entries):
            raise error("ValidationException")
        return [{"EventId": "e"} for _ in entries]

    answer = put(Client(refuse), given)
    assert answer.refused == {given[4].id: "ValidationException"}
    assert answer.taken == {event.id for event in given} - {given[4].id}


@pytest.mark.parametrize(
    "failure",
    [
        error("ThrottlingException"),
        error("AccessDeniedException"),
        error("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="https://events.example"),
        ReadTimeoutError(endpoint_url="https://events.example"),
    ],
    ids=["throttled", "denied", "no bus", "no way", "no answer"],
)
def test_a_bus_that_does_not_take_a_call_is_left_alone_for_this_invocation(failure: Exception) -> None:
    def refuse(_: list[dict[str, Any]]) -> list[dict[str, str]]:
        raise failure

    client, given = Client(refuse), events(25)
    bus = EventBus(lambda: client, "jobs")  # type: ignore[arg-type,return-value]
    for _ in range(2):
        answer = bus.put(given, deadline=time.monotonic() + 60)
        assert answer.delayed.keys() == {event.id for event in given}
        assert (answer.taken, answer.refused) == (set[UUID](), {})
    assert len(client.calls) == 1


def test_no_call_is_begun_without_time_for_it() -> None:
    client, given = Client(), events(3)
    assert set(put(client, given, seconds=-1).delayed.values()) == {"NoTimeLeft"}
    assert client.calls == []
