"""Kinds of sites by what stands in their one file."""

import json
import zlib

from chaos.sites.fixture import HTML, File, Made, Outcome, Site, kind, packed, read, refused, text, whole
from scrapersky.domain.status import ErrorCode
from support.loopback import response
from support.sitemap_site import urlset, xml

INVALID, FORBIDDEN = ErrorCode.INVALID_SITEMAP, ErrorCode.FORBIDDEN_XML
GZIP = "Content-Encoding: gzip"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><urlset><url><loc>http://bomb.example/&c;</loc></url></urlset>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<urlset><url><loc>http://elsewhere.example/&x;</loc></url></urlset>"""
EXTRAS = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
 xmlns:video="http://www.google.com/schemas/sitemap-video/1.1">{}</urlset>"""


def bare(urls: list[str], head: str = "<urlset>", tail: str = "</urlset>") -> str:
    return head + "".join(f"<url><loc>{url}</loc></url>" for url in urls) + tail


def declared(site: Site, charset: str, codec: str) -> bytes:
    """A file whose addresses have letters of that charset."""
    letters = {"shift_jis": "港", "latin-1": "é"}.get(codec, "ü")
    urls = [f"{url}/{letters}" for url in site.urls()]
    return bare(urls, f'<?xml version="1.0" encoding="{charset}"?><urlset>').encode(codec)


@kind("a urlset of the usual sort")
def urlset_plain(site: Site) -> Made:
    return site.named(xml(site.file())), read(File(urls=site.n))


@kind("a urlset without a namespace, every tag in capitals")
def urlset_loose(site: Site) -> Made:
    return site.named(xml(bare(site.urls()).replace("url", "URL").replace("loc", "LOC").encode())), read(
        File(urls=site.n)
    )


@kind("a urlset whose tags have a prefix")
def urlset_prefixed(site: Site) -> Made:
    head = '<s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9">'
    body = head + "".join(f"<s:url><s:loc>{url}</s:loc></s:url>" for url in site.urls()) + "</s:urlset>"
    return site.named(xml(body.encode())), read(File(urls=site.n))


@kind("a urlset that names nothing")
def urlset_empty(site: Site) -> Made:
    return site.named(xml(urlset([]))), read(File())


@kind("a urlset that names each address three times")
def urlset_repeats(site: Site) -> Made:
    return site.named(xml(urlset(site.urls() * 3))), read(File(urls=site.n))


@kind("a urlset served as HTML")
def urlset_as_html(site: Site) -> Made:
    return site.named(text(site.file(), "text/html")), read(File(urls=site.n))


@kind("gzip under the name of a plain file")
def gzip_by_bytes(site: Site) -> Made:
    return site.named(xml(packed(site.file()))), read(File(urls=site.n, gzip=True))


@kind("gzip under the name of a gzip file")
def gzip_by_name(site: Site) -> Made:
    page = text(packed(site.file()), "application/x-gzip")
    return site.named(page, "/map.xml.gz"), read(File(urls=site.n, gzip=True))


@kind("a plain file under the name of a gzip file")
def gzip_in_name_alone(site: Site) -> Made:
    return site.named(xml(site.file()), "/map.xml.gz"), read(File(urls=site.n))


@kind("a plain file that travels as gzip")
def gzip_on_the_way(site: Site) -> Made:
    return site.named(xml(packed(site.file()), GZIP)), read(File(urls=site.n))


@kind("a gzip file that travels as gzip")
def gzip_twice(site: Site) -> Made:
    page = xml(packed(packed(site.file())), GZIP)
    return site.named(page, "/map.xml.gz"), read(File(urls=site.n, gzip=True))


@kind("a gzip file of several members")
def gzip_members(site: Site) -> Made:
    body = site.file()
    half = len(body) // 2
    page = xml(packed(body[:half]) + packed(body[half:]))
    return site.named(page), read(File(urls=site.n, gzip=True))


@kind("a gzip file that ends early")
def gzip_truncated(site: Site) -> Made:
    sent = packed(site.file(n=10 * site.n))
    sent = sent[: len(sent) * 2 // 3]
    urls = whole(zlib.decompressobj(wbits=31).decompress(sent))
    return site.named(xml(sent)), read(File(urls=urls, gzip=True, partial=True))


@kind("a file that ends in the middle of an entry")
def xml_truncated(site: Site) -> Made:
    sent = site.file()[: -(len(site.file()) // 3)]
    return site.named(xml(sent)), read(File(urls=whole(sent), partial=True))


@kind("a file that ends right after its last entry")
def xml_unclosed(site: Site) -> Made:
    return site.named(xml(site.file().replace(b"</urlset>", b""))), read(File(urls=site.n, partial=True))


@kind("a file one of whose entries has a bare ampersand")
def xml_invalid(site: Site) -> Made:
    urls = site.urls()
    urls.insert(len(urls) // 2, site.url("/boats & oars"))
    return site.named(xml(urlset(urls))), read(File(urls=site.n, partial=True))


@kind("a UTF-8 file with a byte order mark")
def charset_bom(site: Site) -> Made:
    return site.named(xml(b"\xef\xbb\xbf" + site.file())), read(File(urls=site.n))


@kind("a UTF-16 file")
def charset_utf_16(site: Site) -> Made:
    return site.named(xml(declared(site, "UTF-16", "utf-16"))), read(File(urls=site.n))


@kind("a Latin-1 file")
def charset_latin_1(site: Site) -> Made:
    return site.named(xml(declared(site, "ISO-8859-1", "latin-1"))), read(File(urls=site.n))


@kind("a Shift_JIS file")
def charset_shift_jis(site: Site) -> Made:
    return site.named(xml(declared(site, "Shift_JIS", "shift_jis"))), read(File(urls=site.n))


@kind("a file in a charset that nobody knows")
def charset_unknown(site: Site) -> Made:
    return site.named(xml(declared(site, "x-harbour-9", "utf-8"))), refused(INVALID)


@kind("a document type that declares nothing")
def doctype(site: Site) -> Made:
    body = site.file().replace(b"\n<urlset", b"\n<!DOCTYPE urlset><urlset", 1)
    return site.named(xml(body)), refused(FORBIDDEN)


@kind("entities that multiply")
def entity_bomb(site: Site) -> Made:
    return site.named(xml(BOMB)), refused(FORBIDDEN)


@kind("an entity that is a file of the reader's")
def entity_external(site: Site) -> Made:
    return site.named(xml(EXTERNAL)), refused(FORBIDDEN)


@kind("a plain list, with a line that is no address")
def list_of_text(site: Site) -> Made:
    page = text("\r\n".join([*site.urls(), "mind the gap"]).encode())
    return site.named(page, "/map.txt"), read(File("text", site.n, skipped=1))


@kind("an RSS feed")
def feed_rss(site: Site) -> Made:
    items = "".join(f"<item><title>A</title><link>{url}</link></item>" for url in site.urls())
    body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}</channel></rss>'
    return site.named(text(body.encode(), "application/rss+xml"), "/feed.xml"), read(File("rss", site.n))


@kind("an Atom feed with relative addresses")
def feed_atom(site: Site) -> Made:
    entries = "".join(f'<entry><link href="/post/{n}"/><updated>2026-01-02</updated></entry>' for n in range(site.n))
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><link href="/"/>{entries}</feed>'
    return site.named(text(body.encode(), "application/atom+xml"), "/feed.xml"), read(File("atom", site.n))


@kind("images, videos, news and languages")
def extensions(site: Site) -> Made:
    more = (
        "<image:image><image:loc>http://a.example/i.png</image:loc></image:image>" * 2
        + "<video:video><video:title>A</video:title></video:video><news:news><news:title>A</news:title></news:news>"
        + '<xhtml:link rel="alternate" hreflang="de" href="http://a.example/de"/>' * 3
    )
    body = EXTRAS.format("".join(f"<url><loc>{url}</loc>{more}</url>" for url in site.urls()))
    n = site.n
    return site.named(xml(body.encode())), Outcome((File(urls=n),), extras=(2 * n, n, n, 3 * n))


@kind("addresses that are none of the web's")
def wrong_schemes(site: Site) -> Made:
    wrong = ["ftp://a.example/", "javascript:alert(1)", "mailto:a@b.example", "file:///etc/passwd", "/relative", ""]
    return site.named(xml(urlset([*wrong, *site.urls()]))), read(File(urls=site.n, skipped=len(wrong)))


@kind("an address of 1 MiB")
def long_url(site: Site) -> Made:
    urls = [*site.urls(), site.url("/" + "a" * (1 << 20)), *site.urls("more")]
    return site.named(xml(packed(urlset(urls)), GZIP)), read(File(urls=2 * site.n, skipped=1))


@kind("dates that are none")
def lastmod_nonsense(site: Site) -> Made:
    return site.named(xml(urlset(site.urls(), lastmod="31.02.2026, or later"))), read(File(urls=site.n))


@kind("elements 10,000 deep")
def nested_deep(site: Site) -> Made:
    return site.named(xml(b"<urlset><url>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</url></urlset>")), refused(INVALID)


@kind("elements 10,000 deep behind entries: these are kept")
def nested_deep_later(site: Site) -> Made:
    body = site.file().replace(b"</urlset>", b"<url>" + b"<a>" * 10_000)
    return site.named(xml(body)), read(File(urls=site.n, partial=True))


@kind("XML of another kind")
def other_xml(site: Site) -> Made:
    return site.named(xml(b"<?xml version='1.0'?><opml><body/></opml>")), refused(INVALID)


@kind("an HTML page where the sitemap should be")
def type_html(site: Site) -> Made:
    return site.named(text(HTML, "text/html")), refused(INVALID)


@kind("JSON where the sitemap should be")
def type_json(site: Site) -> Made:
    return site.named(text(json.dumps({"urls": site.urls()}).encode(), "application/json")), refused(INVALID)


@kind("a picture where the sitemap should be")
def type_png(site: Site) -> Made:
    return site.named(text(PNG, "image/png")), refused(INVALID)


@kind("a PDF file where the sitemap should be")
def type_pdf(site: Site) -> Made:
    return site.named(text(b"%PDF-1.7\n" + bytes(range(256)), "application/pdf")), refused(INVALID)


@kind("an empty file")
def type_nothing(site: Site) -> Made:
    return site.named(xml(b"")), refused(INVALID)


@kind("an answer without content (204)")
def type_204(site: Site) -> Made:
    return site.named(response(status="204 No Content")), refused(INVALID)
