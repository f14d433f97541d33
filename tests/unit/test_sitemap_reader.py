"""What is read of each format, in whatever of the common ways it is written."""

import gzip
import hashlib

import pytest

from scrapersky.domain.sitemaps import SitemapType
from scrapersky.scraping.sitemaps.entry import MAX_COUNT, MAX_URL_CHARS, is_usable_url
from support.sitemap_reads import NAMESPACE, read, urls, urlset

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
