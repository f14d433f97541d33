"""Puts events on an EventBridge bus, and tells of each whether it is there."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from scrapersky.domain.events import EVENT_SOURCE, Event, detail

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

# PutEvents' own limits: entries a call, and bytes of an entry and of a call (ours are of about 700).
CALL_LIMIT = 10
SIZE_LIMIT = 256 * 1024
TIME_SIZE = 14  # what an entry's time counts for (EventBridge user guide, "Calculating PutEvents event entry size")
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0  # it answers in tens of milliseconds
TRIES = 2  # of a call, boto3's own; what fails then is put again after a minute
# What is wrong with an entry itself is wrong with it the next time. All else may be put right: by waiting, by a policy.
_FINAL_CODES = frozenset({"InvalidArgument", "MalformedDetail", "ValidationException"})
_OF_THE_CALL = "ValidationException"  # one entry can spoil a call


@dataclass(slots=True)
class Put:
    """What became of events: those that are on the bus, and the reason for each that is not.

    The bus will never take what is `refused`; what is `delayed` it did not take now.
    """

    taken: set[UUID] = field(default_factory=set)
    refused: dict[UUID, str] = field(default_factory=dict)
    delayed: dict[UUID, str] = field(default_factory=dict)


class EventBus:
    """One bus, for one invocation: once it did not answer, it is left alone.

    Args:
        client: gives the EventBridge client when the first event is put.
        name: the bus.
    """

    def __init__(self, client: "Callable[[], EventBridgeClient]", name: str) -> None:
        self._client = client
        self._name = name
        self._failure: str | None = None

    def put(self, events: Sequence[Event], *, deadline: float) -> Put:
        """Put events until `deadline` (monotonic); no call is begun after it.

        An entry can fail in a call that succeeded, so every answer is looked through.
        """
        put = Put()
        entries = {}
        for event in events:
            entry = self._entry(event)
            if _size(entry) > SIZE_LIMIT:
                put.refused[event.id] = "TooLarge"
            else:
                entries[event.id] = entry
        for chunk in _chunks(list(entries.items())):
            failure = self._failure or ("NoTimeLeft" if time.monotonic() >= deadline else None)
            if failure:
                put.delayed.update((id, failure) for id, _ in chunk)
            else:
                self._put_chunk(chunk, put, deadline)
        return put

    def _put_chunk(
        self, chunk: "Sequence[tuple[UUID, PutEventsRequestEntryTypeDef]]", put: Put, deadline: float
    ) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client().put_events(Entries=[entry for _, entry in chunk])
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "ClientError")
            if code == _OF_THE_CALL and len(chunk) > 1:
                for one in chunk:
                    if time.monotonic() < deadline:
                        self._put_chunk([one], put, deadline)
                    else:
                        put.delayed[one[0]] = "NoTimeLeft"
            elif code == _OF_THE_CALL:
                put.refused[chunk[0][0]] = code
            else:
                self._fail(chunk, code, put)
        except BotoCoreError as error:
            self._fail(chunk, type(error).__name__, put)
        else:
            for (id, _), entry in zip(chunk, answer["Entries"], strict=True):
                reason = entry.get("ErrorCode")
                if reason is None:
                    put.taken.add(id)
                else:
                    (put.refused if reason in _FINAL_CODES else put.delayed)[id] = reason

    def _fail(self, chunk: "Sequence[tuple[UUID, PutEventsRequestEntryTypeDef]]", reason: str, put: Put) -> None:
        self._failure = reason
        put.delayed.update((id, reason) for id, _ in chunk)

    def _entry(self, event: Event) -> "PutEventsRequestEntryTypeDef":
        return {
            "Time": event.occurred_at,
            "Source": EVENT_SOURCE,
            "DetailType": event.type.value,
            "Detail": detail(event),
            "EventBusName": self._name,
        }


def _size(entry: "PutEventsRequestEntryTypeDef") -> int:
    return TIME_SIZE + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _chunks(
    entries: "Sequence[tuple[UUID, PutEventsRequestEntryTypeDef]]",
) -> "Iterator[list[tuple[UUID, PutEventsRequestEntryTypeDef]]]":
    """As many entries a call as it takes, by number and by size."""
    chunk: list[tuple[UUID, PutEventsRequestEntryTypeDef]] = []
    size = 0
    for id, entry in entries:
        if chunk and (len(chunk) == CALL_LIMIT or size + _size(entry) > SIZE_LIMIT):
            yield chunk
            chunk, size = [], 0
        chunk.append((id, entry))
        size += _size(entry)
    if chunk:
        yield chunk
