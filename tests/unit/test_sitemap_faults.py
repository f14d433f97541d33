"""What is said of a sitemap that is packed, cut or broken, and of what is none."""

import gzip
import hashlib
import random

import pytest

from scrapersky.domain.sitemaps import SitemapType, Truncation
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.sitemaps.markup import MAX_FAULTS
from scrapersky.scraping.sitemaps.reader import HEAD_BYTES, SitemapReader, looks_like_sitemap
from support.sitemap_reads import NAMESPACE, at_random, outcome, read, urlset

A, B = "https://shop.example/a", "https://shop.example/b"
LOC_A = f"<loc>{A}</loc>"


def test_gzip_is_told_by_its_bytes() -> None:
    body = urlset(LOC_A, f"<loc>{B}</loc>").encode()
    members = gzip.compress(body[:70]) + gzip.compress(b"") + gzip.compress(body[70:])
    for packed in (gzip.compress(body), members, members + b"\0" * 100, members + b"\n"):
        entries, reader = read(packed)
        assert [entry[0] for entry in entries] == [A, B]
        assert (reader.is_gzip, reader.is_partial, reader.bytes) == (True, False, len(body))
        assert reader.sha256 == hashlib.sha256(packed).digest()


@pytest.mark.parametrize("between", ["", "<!-- -->"])
def test_what_came_before_the_break_is_kept(between: str) -> None:
    body = urlset(LOC_A + between, f"<loc>{B}</loc>").encode()
    for broken in (
        body[: body.index(B.encode())],
        body.replace(f"<loc>{B}</loc>".encode(), b"<loc>https://shop.example/?a=1&b=2</loc>"),
        body.replace(f"<loc>{B}".encode(), b"<loc>&nbsp;"),
        body.replace(f"<loc>{B}".encode(), b"<loc>\x00"),
        body.replace(f"<loc>{B}</loc>".encode(), b"<loc></url>"),
        gzip.compress(body.replace(B.encode(), b""))[:-9],
        gzip.compress(body)[:-6] + b"\0\0\0\0\0\0",
    ):
        entries, reader = read(broken)
        assert entries[0][0] == A
        assert (reader.is_partial, reader.error, reader.sitemap_type) == (True, None, SitemapType.URLSET)


@pytest.mark.parametrize("root", ["urlset", "sm:urlset"])
@pytest.mark.parametrize(
    "fault",
    [
        "<loc>https://shop.example/?a=1&b=2</loc>",
        "<loc>https://shop.example/&nbsp;</loc>",
        "<loc>https://shop.example/\x0b</loc>",
        "<loc>https://shop.example/ä&b</loc><lastmod>2024</lastmod>",
        "<loc>https://shop.example/<b></loc>",
        "<loc a=1>https://shop.example/x</loc>",
        "<image:image></url>",
    ],
)
def test_what_is_not_well_formed_costs_its_entry_alone(fault: str, root: str) -> None:
    ends = "</urlset><urlset>" if fault.startswith("<image") else ""
    whole = urlset(*[LOC_A] * 30, fault, f"{ends}<loc>{B}</loc>", *[LOC_A] * 30, fault, LOC_A, root=root)
    whole = whole if root == "urlset" else whole.replace("<url>", "<sm:url>").replace("</url>", "</sm:url>")
    entries, reader = read(whole.encode())
    assert [entry[0] for entry in entries if entry[0] == A] == [A] * 61
    assert (reader.is_partial, reader.error) == (True, None)
    assert outcome(*read(whole.encode(), at_random(whole.encode(), random.Random(3), 9))) == outcome(entries, reader)


def test_too_many_faults_end_the_reading() -> None:
    body = urlset(LOC_A, *["&"] * (MAX_FAULTS - 1), f"<loc>{B}</loc>", "&", "&", LOC_A)
    entries, reader = read(body.encode())
    assert [entry[0] for entry in entries] == [A, B]
    assert (reader.is_partial, reader.is_done, reader.error) == (True, True, None)


def test_a_stream_that_broke_off_is_partial() -> None:
    reader = SitemapReader()
    found = reader.feed(urlset(LOC_A).encode()) + reader.close(is_cut=True)
    assert [entry[0] for entry in found] == [A]
    assert reader.is_partial


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_which_the_rest_is_not_asked_for_is_not_called_broken(packed: bool) -> None:
    body = urlset(LOC_A, f"<loc>{B}</loc>").encode()
    for fault, is_partial in ((b"", False), (b"<url><loc>&</loc></url>", True)):
        sent = body.replace(b"<url>", fault + b"<url>", 1)[:-5]
        reader = SitemapReader()
        found = reader.feed(gzip.compress(sent)[:-8] if packed else sent) + reader.close(cut_by=Truncation.SECONDS)
        assert len(found) == 2
        assert (reader.truncated_by, reader.is_partial, reader.error) == (Truncation.SECONDS, is_partial, None)


def test_a_file_is_cut_at_its_bound_and_one_of_that_length_is_not() -> None:
    body = urlset(LOC_A, f"<loc>{B}</loc>").encode()
    for packed in (body, gzip.compress(body)):
        entries, reader = read(packed, max_bytes=len(body))
        assert (len(entries), reader.truncated_by, reader.is_partial) == (2, None, False)
        entries, reader = read(packed, max_bytes=len(body) - 20)
        assert (len(entries), reader.truncated_by, reader.is_partial) == (1, Truncation.BYTES, False)
        assert (reader.bytes, reader.is_done, reader.error) == (len(body) - 20, True, None)


def test_entries_come_as_soon_as_they_are_complete() -> None:
    reader = SitemapReader()
    assert reader.feed(f"<urlset><!--{'x' * HEAD_BYTES}-->".encode()) == []
    assert reader.sitemap_type is SitemapType.URLSET
    for number in range(3):
        url = f"https://shop.example/{number}"
        assert reader.feed(f"<url><loc>{url}</loc>".encode()) == []
        assert [entry[0] for entry in reader.feed(b"</url>")] == [url]
    assert not reader.is_done
    assert reader.close() == []
    assert reader.is_partial
    assert reader.feed(b"<url/>") == reader.close() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \r\n\xef\xbb\xbf", "empty"),
        (b"<!doctype html><title>Not found</title>", "HTML"),
        (b"<!DOCTYPE html>\n<html/>", "HTML"),
        (b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://w3.example/x.dtd"><html/>', "HTML"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "HTML"),
        (b"<!-- a comment --><HTML><br></HTML>", "HTML"),
        (b"<div>Sorry", "HTML"),
        (b'{"error": "not found"}', "JSON"),
        (b"[1]", "JSON"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"Not found", "neither"),
        (b"Not found: https://shop.example/", "neither"),
        (b"<opml/>", "another kind"),
        (b"<a><b", "another kind"),
        (b"< url", "broken XML"),
        (b"\x1f\x8b", "ends early"),
        (b"\x1f\x8bxxxxxxxxxxxxxxxx", "damaged"),
        (gzip.compress(b"<html>", mtime=0), "HTML"),
        (gzip.compress(gzip.compress(b"<urlset/>", mtime=0), mtime=0), "inside"),
        (b"\x1f", "neither"),
    ],
)
def test_what_is_no_sitemap_is_told_by_name(body: bytes, words: str) -> None:
    entries, reader = read(body)
    assert entries == []
    assert reader.sitemap_type is None
    assert reader.error is not None
    assert reader.error[0] is ErrorCode.INVALID_SITEMAP
    assert words in reader.error[1]
    assert not reader.is_partial
    assert not looks_like_sitemap(body)


def test_a_page_of_words_is_html_when_its_header_says_so() -> None:
    assert read(b"Not found", content_type="text/html; charset=utf-8")[1].error == (
        ErrorCode.INVALID_SITEMAP,
        "it is an HTML page, not a sitemap",
    )


def test_the_first_bytes_tell_a_sitemap() -> None:
    body = urlset(*[LOC_A] * 1000).encode()
    for first in (
        body,
        body[:100],
        gzip.compress(body)[:300],
        body.decode().encode("utf-16")[:500],
        f"{A}\n{B}".encode(),
    ):
        assert looks_like_sitemap(first, "text/html")


def test_an_empty_list_is_a_sitemap() -> None:
    for body in (f"<urlset {NAMESPACE}/>", f"<urlset {NAMESPACE}></urlset>", f"<sitemapindex {NAMESPACE}/>"):
        entries, reader = read(body.encode())
        assert (entries, reader.error, reader.is_partial) == ([], None, False)
        assert reader.sitemap_type is not None
