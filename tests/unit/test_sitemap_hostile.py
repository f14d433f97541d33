"""Sitemaps that mean harm: each ends with a typed error or what came before, soon, and opens nothing."""

import builtins
import gzip
import io
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from scrapersky.domain.sitemaps import SitemapType, Truncation
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.sitemaps import gunzip, markup
from scrapersky.scraping.sitemaps.reader import SLICE_BYTES, SitemapReader
from support.cpu import cpu_seconds
from support.hostile_sitemaps import ENTRY, LOC, MIB, hostile
from support.naughty import texts
from support.sitemap_reads import at_random, read, urlset

MAX_SECONDS = 1.0


def laughs(levels: int, times: int) -> str:
    entities = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * times}">' for i in range(levels))
    return f'<!DOCTYPE urlset [<!ENTITY l0 "ha">{entities}]><urlset><url><loc>&l{levels};</loc></url></urlset>'


DOCTYPES = {
    "billion laughs": laughs(9, 10),
    "quadratic blow-up": f'<!DOCTYPE urlset [<!ENTITY a "{"a" * 50_000}">]><urlset>{"&a;" * 50_000}</urlset>',
    "entity of a file": '<!DOCTYPE urlset [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>&a;</loc></url></urlset>',
    "entity of an address": '<!DOCTYPE urlset [<!ENTITY a SYSTEM "http://127.0.0.1/x">]><urlset>&a;</urlset>',
    "external type": '<!DOCTYPE urlset SYSTEM "http://127.0.0.1/x.dtd"><urlset/>',
    "public external type": '<!DOCTYPE urlset PUBLIC "-//X//X" "file:///etc/passwd"><urlset/>',
    "parameter entity": '<!DOCTYPE urlset [<!ENTITY % a SYSTEM "http://127.0.0.1/x"> %a;]><urlset/>',
    "parameter entity of entities": "<!DOCTYPE urlset [<!ENTITY % a '<!ENTITY &#37; b SYSTEM \"file:///etc/passwd\">'>%a;]><urlset/>",
    "attribute defaults": '<!DOCTYPE urlset [<!ATTLIST url x CDATA "y">]><urlset/>',
    "plain": "<!DOCTYPE urlset><urlset/>",
    "not closed": "<!DOCTYPE urlset [" + '<!ENTITY a "a">' * 10_000,
}


def seconds(work: Callable[[], object]) -> float:
    return cpu_seconds(work, 2)


@pytest.fixture
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("it opened something")

    for owner, name in (
        (builtins, "open"),
        (io, "open"),
        (os, "open"),
        (socket, "socket"),
        (urllib.request, "urlopen"),
    ):
        monkeypatch.setattr(owner, name, refuse)


@pytest.mark.parametrize("name", DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_before_anything_of_it_is_read(
    nothing_is_opened: None, name: str, encoding: str
) -> None:
    body = DOCTYPES[name].encode(encoding)
    for packed in (body, gzip.compress(body), b"<?xml version='1.0'?>" + body if encoding == "utf-8" else body):
        entries, reader = read(packed)
        assert entries == []
        assert reader.error is not None
        assert reader.error[0] is ErrorCode.FORBIDDEN_XML
        assert seconds(lambda packed=packed: read(packed)) < 0.1  # type: ignore[misc]


def test_an_entity_would_be_read_if_document_types_were_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "_refuse_doctype", lambda *_: None)
    body = '<!DOCTYPE urlset [<!ENTITY a "https://shop.example/a">]><urlset><url><loc>&a;</loc></url></urlset>'
    assert read(body.encode())[0][0][0] == "https://shop.example/a"


def test_expat_opens_nothing_by_itself() -> None:
    """By the system calls of a process that reads them, where that can be seen (Linux: audit events elsewhere too)."""
    program = (
        "import sys\n"
        "from scrapersky.scraping.sitemaps import reader, markup\n"
        "markup._refuse_doctype = lambda *_: None\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, _: seen.append(event) if event.split('.')[0] in "
        "('open', 'socket', 'urllib', 'subprocess', 'os') else None)\n"
        "for line in sys.stdin.read().split('\\x00'):\n"
        "    r = reader.SitemapReader(); r.feed(line.encode()); r.close()\n"
        "print(seen)\n"
    )
    some = "\x00".join(body for name, body in DOCTYPES.items() if "entity" in name or "external" in name)
    done = subprocess.run([sys.executable, "-c", program], input=some, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", hostile())
def test_each_ends_within_a_second_however_it_comes(nothing_is_opened: None, name: str) -> None:
    body = hostile()[name]
    rng = random.Random(name)
    url = "https://shop.example/index.xml"
    assert seconds(lambda: read(body, url=url)) < MAX_SECONDS
    assert seconds(lambda: read(body, at_random(body, rng, 4000), url=url)) < MAX_SECONDS
    for entry in read(body, url=url)[0]:
        entry[0].encode()


@pytest.mark.parametrize(
    "name",
    ["deep", "deep and closed", "deep urls", "deep in an index", "deep in a feed", "long root", "utf-7"],
)
def test_a_typed_error(name: str) -> None:
    entries, reader = read(hostile()[name])
    assert entries == []
    assert reader.error is not None
    assert reader.error[0] is ErrorCode.INVALID_SITEMAP


@pytest.mark.parametrize(
    "name", ["long text", "long cdata", "references", "many attributes", "long attribute of the root"]
)
def test_what_follows_something_long_is_read(name: str) -> None:
    entries, reader = read(hostile()[name])
    assert [entry[0] for entry in entries] == ["https://shop.example/a"]
    assert reader.error is None


@pytest.mark.parametrize("name", hostile())
def test_the_cost_grows_with_the_length_and_no_faster(name: str) -> None:
    """What costs about as much as a sitemap of that length is let be: there the caches decide how it grows."""
    bodies = hostile(MIB // 2)[name], hostile()[name], urlset(*[LOC] * (MIB // len(ENTRY))).encode()
    half = whole = usual = float("inf")  # the least of all rounds: whatever else the machine does can only add
    for _ in range(10):
        half, whole, usual = (
            min(best, seconds(partial(read, body))) for best, body in zip((half, whole, usual), bodies, strict=True)
        )
        if whole < 2.5 * max(half, 0.001) or whole < 4 * usual:
            return
    pytest.fail(f"{whole / half} times for twice as much")


def test_control_what_grows_with_the_square_of_the_length_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def squared(body: bytes) -> None:
        until = time.process_time() + 0.002 * (len(body) / MIB) ** 2
        while time.process_time() < until:
            pass

    monkeypatch.setitem(globals(), "read", squared)
    with pytest.raises(pytest.fail.Exception, match="times for twice as much"):
        test_the_cost_grows_with_the_length_and_no_faster("long comment")


def test_a_byte_at_a_time() -> None:
    body = f"<urlset><!--{'x' * 100_000}-->{ENTRY}<{'n' * 100_000}/></urlset>".encode()
    assert seconds(lambda: read(body, (body[i : i + 1] for i in range(len(body))))) < 2 * MAX_SECONDS


def bomb(mebibytes: int, head: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(head)
    for _ in range(mebibytes):
        packed += packer.compress(b" " * MIB)
    return packed + packer.flush()


def test_a_bomb_is_cut_at_the_bound() -> None:
    body = bomb(64, b"<urlset>" + ENTRY.encode())
    assert len(body) < 100_000
    entries, reader = read(body, max_bytes=8 * MIB)
    assert len(entries) == 1
    assert (reader.truncated_by, reader.bytes, reader.is_done) == (Truncation.BYTES, 8 * MIB, True)
    assert reader.sitemap_type is SitemapType.URLSET
    assert seconds(lambda: read(body, max_bytes=8 * MIB)) < MAX_SECONDS


def growth(program: str, body: bytes) -> int:
    """KiB that a process grows by, at its peak, while it runs the program on the body (Linux, proc(5))."""
    peak = "int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    whole = (
        "import sys, zlib\n"
        "from scrapersky.scraping.sitemaps.reader import SitemapReader\n"
        "body = sys.stdin.buffer.read()\n"
        f"before = {peak}\n{program}\nprint({peak} - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", whole], input=body, capture_output=True, check=True)
    return int(done.stdout)


READ = "reader = SitemapReader(max_bytes=64 * 1024 * 1024)\nreader.feed(body)\nreader.close()"


@pytest.mark.parametrize(
    "head", [b"<urlset><url><loc>", b"<urlset>", b"<urlset><!--", b"<urlset><a ", b"https://a.example/", b""]
)
def test_a_bomb_takes_little_memory(head: bytes) -> None:
    assert growth(READ, bomb(128, head)) < 16 * 1024


def test_the_measure_sees_what_a_bomb_would_take() -> None:
    assert growth("zlib.decompress(body, 31)", bomb(128, b"")) > 100 * 1024


def test_gzip_members_are_bounded() -> None:
    empty = gzip.compress(b"")
    entries, reader = read(gzip.compress(b"<urlset>" + ENTRY.encode()) + empty * (gunzip.MAX_MEMBERS + 10))
    assert len(entries) == 1
    assert reader.is_partial
    _, reader = read(gzip.compress(b"<urlset>" + ENTRY.encode() + b"</urlset>") + empty * (gunzip.MAX_MEMBERS - 10))
    assert not reader.is_partial


def test_nothing_is_kept_of_what_is_not_read() -> None:
    reader = SitemapReader()
    reader.feed(b"<urlset><url><loc>" + b"a" * SLICE_BYTES)
    for _ in range(100):
        reader.feed(b"a" * SLICE_BYTES)
    assert isinstance(reader._body, markup.Markup)
    assert sum(map(len, reader._body._text)) <= markup.MAX_TEXT_CHARS + 1


def test_naughty_texts_are_read_wherever_they_stand() -> None:
    for text in texts():
        raw = text.encode("utf-8", "surrogatepass")
        places = (
            *(b"%s", b"<%s", b"<urlset>%s</urlset>", b"<urlset><url><loc>https://a.example/%s</loc></url></urlset>"),
            *(b"<urlset %s><url/></urlset>", b"<rss><item><link>%s</link><pubDate>%s</pubDate></item></rss>"),
            *(
                b"https://a.example/\n%s\n",
                b"<urlset><url><lastmod>%s</lastmod><loc>https://a.example/</loc></url></urlset>",
            ),
        )
        for place in places:
            entries, _ = read(place.replace(b"%s", raw))
            for entry in entries:
                assert "\0" not in "".join(part for part in entry[:4] if part)
                entry[0].encode()


def test_noise_never_raises() -> None:
    rng = random.Random(7)
    whole = urlset(*[LOC] * 50).encode()
    for _ in range(500):
        body = bytearray(whole if rng.random() < 0.5 else gzip.compress(whole))
        for _ in range(rng.randint(1, 5)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        read(bytes(body), at_random(bytes(body), rng, 500))


@pytest.mark.parametrize("blank", [b" ", b"\n", b"<!--a-->", b"<!---a-->", b"<?p q?>", b"\n<!-- -->"])
@pytest.mark.parametrize(
    "root", [b"<feed>", b"<sitemapindex>", b"<urlset", b"<urlset/>", b"<!--", b"<?xml", b"<!--a--"]
)
def test_what_stands_before_the_root_is_passed_over_at_once(blank: bytes, root: bytes) -> None:
    """However it can be parted: tried in all ways, each further blank takes twice the time of all before it."""
    for many in (24, 4000 // len(blank)):  # the first alone is a second, where that is so
        reader = SitemapReader()
        begun = time.process_time()
        reader.feed(b"<?xml version='1.0'?>" + blank * many + root + b" " * 5000)
        reader.close()
        assert time.process_time() - begun < 0.5
