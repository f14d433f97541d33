"""Hands out what is too long for a list: in the answer itself or, when it does not fit, as an object to fetch."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from uuid import UUID, uuid4

from scrapersky.api.sizes import MAX_SENT_BYTES, sent_bytes
from scrapersky.objects import ObjectStore

MAX_DIRECT_BYTES = 5_000_000  # of the HTTP contract


@dataclass(frozen=True, slots=True)
class Direct:
    """An export that fits into the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An export that is to be fetched, from an address that works for a few minutes."""

    url: str


def deliver(
    lines: Iterable[str], objects: ObjectStore, *, tenant_id: UUID, name: str, media_type: str
) -> Direct | Elsewhere:
    """Answer with the lines or, when they are too many, with the address of an object that holds them.

    `name` is what a browser calls the file. MAX_DIRECT_BYTES and one part of an upload are held at a time, no more.

    Raises:
        Unavailable: the object could not be written.
    """
    waiting = iter(lines)
    held: list[str] = []
    length = sent = 0
    for line in waiting:
        held.append(line)
        length += len(line.encode())
        sent += sent_bytes(line)
        if length > MAX_DIRECT_BYTES or sent > MAX_SENT_BYTES:
            key = f"exports/{tenant_id}/{uuid4()}/{name}"
            objects.write(key, (part.encode() for part in chain(held, waiting)), media_type=media_type)
            return Elsewhere(objects.link(key))
    return Direct("".join(held))
