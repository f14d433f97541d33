"""Where an export goes: into the answer while it fits, else into an object; held in memory only up to that limit."""

import tracemalloc
from collections.abc import Iterable, Iterator
from uuid import UUID, uuid4

import pytest

from scrapersky.api.sizes import MAX_SENT_BYTES, fitting, sent_bytes
from scrapersky.objects import ObjectStore
from scrapersky.services.export import MAX_DIRECT_BYTES, Direct, Elsewhere, deliver

TENANT = uuid4()


class Store(ObjectStore):
    """A store that counts what is written to it."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.media_types: list[str] = []
        self.bytes = 0
        self.lines = 0

    def write(self, key: str, parts: Iterable[bytes], *, media_type: str) -> None:
        self.keys.append(key)
        self.media_types.append(media_type)
        for part in parts:
            self.bytes += len(part)
            self.lines += part.count(b"\n")

    def link(self, key: str) -> str:
        return f"https://objects.example/{key}"


def delivered(lines: Iterable[str], store: Store) -> Direct | Elsewhere:
    return deliver(lines, store, tenant_id=TENANT, name="batch.ndjson", media_type="application/x-ndjson")


def test_nothing_is_an_answer_too() -> None:
    assert delivered([], Store()) == Direct("")


def test_what_fits_is_answered_directly() -> None:
    store = Store()
    lines = ["x" * 999_999 + "\n"] * 5
    assert delivered(lines, store) == Direct("".join(lines))
    assert store.keys == []


def test_a_byte_too_many_makes_an_object_of_all_lines() -> None:
    store = Store()
    found = delivered(["x" * 999_999 + "\n"] * 5 + ["\n"], store)
    assert (store.bytes, store.lines, store.media_types) == (MAX_DIRECT_BYTES + 1, 6, ["application/x-ndjson"])
    assert found == Elsewhere(f"https://objects.example/{store.keys[0]}")


def test_an_object_lies_in_its_tenants_folder_under_a_name_of_its_own() -> None:
    store = Store()
    for _ in range(2):
        delivered(["x" * (MAX_DIRECT_BYTES + 1)], store)
    assert len(set(store.keys)) == 2
    for key in store.keys:
        exports, tenant, name, file = key.split("/")
        assert (exports, UUID(tenant), file) == ("exports", TENANT, "batch.ndjson")
        assert UUID(name).version == 4


@pytest.mark.parametrize("character", ['"', "é", "\N{PILE OF POO}"])
def test_characters_that_grow_on_their_way_count_as_what_they_become(character: str) -> None:
    """3 MB of quotes are 6 MB in the JSON that Lambda sends, which it would refuse."""
    text = character * (MAX_SENT_BYTES // sent_bytes(character) + 1)
    assert len(text.encode()) < MAX_DIRECT_BYTES
    assert isinstance(delivered([text], Store()), Elsewhere)


def test_memory_does_not_grow_with_the_export() -> None:
    def lines() -> Iterator[str]:
        for number in range(40_000):
            yield f"{number:>999}\n"

    store = Store()
    tracemalloc.start()
    try:
        delivered(lines(), store)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.bytes == 40_000_000
    assert peak < 2 * MAX_DIRECT_BYTES


def test_an_error_of_the_lines_is_not_hidden() -> None:
    def lines() -> Iterator[str]:
        yield "x" * (MAX_DIRECT_BYTES + 1)
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        delivered(lines(), Store())


def test_a_list_is_cut_where_it_no_longer_fits() -> None:
    assert fitting(["aa", "bb", "cc"], str, limit=6) == ["aa", "bb"]
    assert fitting(["aa", "bb"], str, limit=6) == ["aa", "bb"]
    assert fitting(["ä"], str, limit=6) == []
    assert fitting([], str) == []
