"""What is read of each format, and what is said of a file that is none or not whole."""

import gzip
import hashlib
import random

import pytest

from scrapersky.domain.sitemaps import SitemapType, Truncation
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.sitemaps.entry import MAX_COUNT, MAX_URL_CHARS, is_usable_url
from scrapersky.scraping.sitemaps.markup import MAX_FAULTS
from scrapersky.scraping.sitemaps.reader import HEAD_BYTES, SitemapReader, looks_like_sitemap
from support.sitemap_reads import NAMESPACE, at_random, outcome, read, urls, urlset

A, B = "https://shop.example/a", "https://shop.example/b"
LOC_A = f"<loc>{A}</loc>"


def test_an_entry_has_what_the_protocol_names_in_any_order() -> None:
    fields = "<priority>0.80</priority><changefreq>Daily</changefreq><lastmod>2024-05-01T10:00:00+02:00</lastmod>"
    whole = (A, "2024-05-01T10:00:00+02:00", "daily", "0.80", 0, 0, 0, 0)
    for body in (urlset(LOC_A + fields), urlset(fields + LOC_A), urlset(f"<x/>{fields}{LOC_A}")):
        entries, reader = read(body.encode())
        assert entries == [whole]
        assert (reader.sitemap_type, reader.error, reader.is_partial) == (SitemapType.URLSET, None, False)
        assert reader.has_lastmod
        assert reader.has_changefreq
        assert reader.has_priority
        assert reader.bytes == len(body)
        assert reader.sha256 == hashlib.sha256(body.encode()).digest()


def test_what_makes_no_sense_counts_as_absent() -> None:
    fields = "<lastmod>yesterday</lastmod><changefreq>often</changefreq><priority>7</priority>"
    for between in ("", "<!-- -->"):
        entries, reader = read(urlset(LOC_A + between + fields).encode())
        assert entries == [(A, None, None, None, 0, 0, 0, 0)]
        assert [reader.has_lastmod, reader.has_changefreq, reader.has_priority] == [False] * 3


@pytest.mark.parametrize("priority", ["0", "1", "0.0", "1.0", ".5", "0.25", "1.", "0."])
def test_priorities(priority: str) -> None:
    assert read(urlset(f"{LOC_A}<priority> {priority} </priority>").encode())[0][0][3] == priority


@pytest.mark.parametrize(
    "priority", ["", "-0", "1.1", "2", "0,5", "1e-1", "nan", "0.5.1", ".", "00.5", "\u0660.\u0665", "high"]
)
def test_no_priorities(priority: str) -> None:
    assert read(urlset(f"{LOC_A}<priority>{priority}</priority>").encode())[0][0][3] is None


def test_extensions_are_counted_and_their_addresses_are_none_of_pages() -> None:
    extras = (
        "<image:image><image:loc>https://shop.example/1.jpg</image:loc></image:image>" * 3
        + "<video:video><video:player_loc>https://shop.example/v</video:player_loc></video:video>" * 2
        + "<news:news><news:publication_date>2024-01-01</news:publication_date></news:news>"
        + '<xhtml:link rel="alternate" hreflang="de" href="https://shop.example/de"/>' * 4
        + '<xhtml:link rel="amphtml" href="https://shop.example/amp"/>'
    )
    for body in (urlset(extras + LOC_A), urlset(LOC_A + extras)):
        entries, reader = read(body.encode())
        assert entries == [(A, None, None, None, 3, 2, 1, 4)]
        assert (reader.image_count, reader.video_count, reader.news_count, reader.alternate_count) == (3, 2, 1, 4)


def test_an_extension_by_its_namespace_alone() -> None:
    image = 'xmlns="http://www.google.com/schemas/sitemap-image/1.1"'
    assert urls(urlset(f"<image {image}><loc>https://shop.example/1.jpg</loc></image>{LOC_A}")) == [A]
    assert urls(urlset(f"<loc {image}>https://shop.example/1.jpg</loc>{LOC_A}")) == [A]


def test_more_pictures_than_a_row_may_say() -> None:
    entries, reader = read(urlset(LOC_A + "<image:image/>" * (MAX_COUNT + 10)).encode())
    assert entries[0][4] == MAX_COUNT
    assert reader.image_count == MAX_COUNT + 10


@pytest.mark.parametrize(
    "root",
    [
        "urlset",
        'urlset xmlns="http://www.google.com/schemas/sitemap/0.84"',
        'urlset xmlns="https://shop.example/wrong"',
        "URLSET",
        'sm:urlset xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9"',
        "undeclared:urlset",
    ],
)
def test_namespaces_may_be_missing_or_wrong(root: str) -> None:
    name = root.split()[0]
    prefix = name[: name.find(":") + 1]
    own = f"<{root}><{prefix}url><{prefix}loc>{A}</{prefix}loc></{prefix}url></{name}>"
    plain = f"<{root}><url><loc>{A}</loc></url></{name}>"
    assert urls(own) == urls(plain) == [A]


def test_a_prefix_that_the_root_binds() -> None:
    root = 'urlset xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:i="urn:other"'
    assert urls(f"<{root}><sm:url><i:loc>{B}</i:loc><sm:loc>{A}</sm:loc></sm:url></urlset>") == [A]


def test_common_ways_to_write_an_address() -> None:
    assert urls(urlset("<loc>\n https://shop.example/?a=1&amp;b=2\t</loc>")) == ["https://shop.example/?a=1&b=2"]
    assert urls(urlset("<loc><![CDATA[ https://shop.example/?a=1&b=2 ]]></loc>")) == ["https://shop.example/?a=1&b=2"]
    assert urls(urlset("<loc>https://shop.example/<!-- x -->a</loc>")) == [A]
    assert urls(urlset("<loc>https://shop.example/&#x61;</loc>")) == [A]
    assert urls(urlset("<loc>https://shop.example/a b</loc>")) == ["https://shop.example/a b"]
    assert urls(urlset("<loc>HTTPS://shop.example/ä</loc>")) == ["HTTPS://shop.example/ä"]
    assert urls(urlset("<LOC>https://shop.example/a</LOC>")) == [A]
    assert urls(urlset(f"{LOC_A}<loc>{B}</loc>")) == [A]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/a",
            "shop.example/a",
            "//shop.example/a",
            "ftp://shop.example/a",
            "javascript:alert(1)",
            "mailto:a@b.c",
        ),
        *("https://", "https:///a", "https://?a", "http:/a", "https://shop.example/a\nb", "https://shop.example/\x7f"),
        *("https://shop.example/\x85a", "https:// shop.example/", "https://shop.example/" + "a" * MAX_URL_CHARS),
        *("http://[::1", "http://[x]/"),
    ],
)
def test_an_entry_without_a_usable_address_is_skipped_and_counted(url: str) -> None:
    assert not is_usable_url(url)
    entries, reader = read(urlset(f"<loc>{url}</loc>", LOC_A, "<lastmod>2024</lastmod>").encode(), url=B)
    assert [entry[0] for entry in entries] == [A]
    assert reader.skipped_count == 2
    assert reader.error is None


def test_the_longest_address() -> None:
    url = A + "a" * (MAX_URL_CHARS - len(A))
    assert urls(urlset(f"<loc>{url}</loc>", f"<loc>{url}a</loc>", LOC_A)) == [url, A]
    assert urls(urlset(f"<loc>{url[:-1]}&amp;</loc>")) == [f"{url[:-1]}&"]


def test_an_index_names_files_and_its_relative_ones_are_resolved() -> None:
    names = ("https://shop.example/1.xml.gz", "/2.xml", "3.xml", "//shop.example/4.xml", "http://[::1", "mailto:x")
    entries = "".join(f"<sitemap><loc>{name}</loc><lastmod>2024-01-01</lastmod></sitemap>" for name in names)
    body = f"<sitemapindex {NAMESPACE}>{entries}</sitemapindex>".encode()
    found, reader = read(body, url="https://shop.example/sitemaps/index.xml")
    assert reader.sitemap_type is SitemapType.INDEX
    assert [entry[0] for entry in found] == [
        "https://shop.example/1.xml.gz",
        "https://shop.example/2.xml",
        "https://shop.example/sitemaps/3.xml",
        "https://shop.example/4.xml",
    ]
    assert found[0] == ("https://shop.example/1.xml.gz", "2024-01-01", None, None, 0, 0, 0, 0)
    assert reader.skipped_count == 2
    assert urls(body) == ["https://shop.example/1.xml.gz"]


def test_rss() -> None:
    body = f"""<?xml version="1.0"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
      <title>T</title><link>https://shop.example/</link><atom:link href="https://shop.example/feed" rel="self"/>
      <item><link> {A} </link><guid>{B}</guid><pubDate>Wed, 01 May 2024 10:00:00 +0200</pubDate></item>
      <item><guid>{B}</guid><pubDate>someday</pubDate></item>
      <item><guid isPermaLink="false">{B}</guid></item>
      <item><title>none</title></item></channel></rss>"""
    entries, reader = read(body.encode())
    assert entries == [
        (A, "2024-05-01T10:00:00+02:00", None, None, 0, 0, 0, 0),
        (B, None, None, None, 0, 0, 0, 0),
    ]
    assert (reader.sitemap_type, reader.skipped_count) == (SitemapType.RSS, 2)


def test_rss_1() -> None:
    root = 'rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
    body = f"<{root}><channel/><item><link>{A}</link><dc:date>2024-05-01</dc:date></item></rdf:RDF>"
    assert read(body.encode())[0] == [(A, "2024-05-01", None, None, 0, 0, 0, 0)]


def test_atom() -> None:
    body = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://shop.example/"/><updated>2024</updated>
      <entry><link rel="self" href="https://shop.example/self"/><link rel="alternate" href="https://shop.example/a"/>
        <updated>2024-05-01T10:00:00Z</updated><published>2020-01-01</published>
        <content type="xhtml"><div><link href="https://shop.example/no"/></div></content></entry>
      <entry><link href="b"/><published>2024-05-02T10:00:00Z</published></entry></feed>"""
    entries, reader = read(body.encode(), url="https://shop.example/feed")
    assert entries == [
        (A, "2024-05-01T10:00:00Z", None, None, 0, 0, 0, 0),
        (B, "2024-05-02T10:00:00Z", None, None, 0, 0, 0, 0),
    ]
    assert reader.sitemap_type is SitemapType.ATOM


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n \n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plain_list(end: str, encoding: str) -> None:
    body = f"{end}{A}{end} {B}\t{end}# comment{end}https://shop.example/ä".encode(encoding)
    entries, reader = read(body)
    assert [entry[0] for entry in entries] == [A, B, "https://shop.example/ä"]
    assert (reader.sitemap_type, reader.skipped_count, reader.is_partial) == (SitemapType.TEXT, 1, False)


def test_the_last_line_of_a_list_that_broke_off_is_no_address() -> None:
    body = f"{A}\n{B}".encode()
    assert urls(body) == [A, B]
    assert urls(body, max_bytes=len(body) - 1) == [A]
    assert urls(gzip.compress(body)[:-9]) == [A]


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
        (gzip.compress(b"<html>"), "HTML"),
        (gzip.compress(gzip.compress(b"<urlset/>")), "inside"),
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
