"""Sitemaps that mean harm, by what they are full of."""

import gzip
import random
from functools import cache

from support.sitemap_reads import urlset

MIB = 1024 * 1024
LOC = "<loc>https://shop.example/a</loc>"
ENTRY = f"<url>{LOC}</url>"


@cache
def hostile(n: int = MIB) -> dict[str, bytes]:
    """Some of each kind, about so many bytes or a part of that."""
    name = "n" * n
    many = "".join(f' a{i}="x"' for i in range(n // 10))
    spaces = "".join(f" xmlns:a{i}='http://www.sitemaps.org/schemas/sitemap/0.9'" for i in range(n // 70))
    return {
        "deep": b"<urlset>" + b"<a>" * 10_000,
        "deep and closed": b"<urlset><url>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</url></urlset>",
        "deep urls": b"<urlset>" + b"<url>" * (n // 10),
        "deep in an index": b"<sitemapindex>" + b"<sitemap>" * (n // 10),
        "deep in a feed": b"<feed><entry>" + b"<div>" * (n // 10),
        "long name": f"<urlset><{name}/></urlset>".encode(),
        "long root": f"<{name}/>".encode(),
        "long attribute": f"<urlset><url x='{name}'>{LOC}</url></urlset>".encode(),
        "long attribute of the root": f"<urlset x='{name}'>{ENTRY}</urlset>".encode(),
        "long prefix": f"<{name}:urlset/>".encode(),
        "many attributes": f"<urlset><url{many}>{LOC}</url></urlset>".encode(),
        "many attributes of the root": f"<urlset{many}>{ENTRY}</urlset>".encode(),
        "the same attribute": b"<urlset" + b" a=''" * (n // 10) + b"/>",
        "many namespaces": f"<urlset{spaces}/>".encode(),
        "many names": ("<urlset><url>" + "".join(f"<a{i}/>" for i in range(n // 10)) + "</url></urlset>").encode(),
        "long text": f"<urlset><url><loc>https://shop.example/{name * 4}</loc></url>{ENTRY}</urlset>".encode(),
        "long cdata": f"<urlset><url><loc><![CDATA[{name * 4}]]></loc></url>{ENTRY}</urlset>".encode(),
        "references": f"<urlset><url><loc>{'&amp;' * (n // 2)}</loc></url>{ENTRY}</urlset>".encode(),
        "long comment": f"<urlset><!--{name * 4}-->{ENTRY}</urlset>".encode(),
        "long instruction": f"<urlset><?x {name * 4}?>{ENTRY}</urlset>".encode(),
        "not closed comment": f"<urlset><!--{name * 4}".encode(),
        "comments": b"<!---->" * (n // 3) + ENTRY.encode(),
        "brackets": b"<" * n,
        "closing brackets": b"<urlset>" + b"]]>" * (n // 3),
        "faults": b"<urlset>" + b"<url>&" * (n // 6),
        "faults by references": b"<urlset>" + b"<url><loc>&x;</loc></url>" * (n // 25),
        "ends": b"<urlset>" + b"</urlset>" * (n // 9),
        "ampersands": b"<urlset>" + b"&" * n,
        "declaration": b"<?xml " + b"version='1.0' " * (n // 15),
        "instructions": b"<?a?>" * (n // 5) + b"<urlset/>",
        "question marks": b"<" + b"?" * n,
        "blanks": b" " * n + urlset(LOC).encode(),
        "blanks in tags": b"<urlset><url" + b" " * n + b">" + LOC.encode(),
        "blanks between": b"<urlset>" + b" " * n + ENTRY.encode(),
        "blanks around": f"<urlset><url><loc>{' ' * n}https://shop.example/</loc></url></urlset>".encode(),
        "empty entries": b"<urlset>" + b"<url/>" * (n // 7) + b"</urlset>",
        "half entries": b"<urlset>" + b"<url><loc>https://shop.example/" * (n // 35),
        "locations": b"<urlset><url>" + LOC.encode() * (n // 35) + b"</url></urlset>",
        "spaces of a date": f"<urlset><url>{LOC}<lastmod>{'a ' * (n // 2)}</lastmod></url></urlset>".encode(),
        "digits of a date": f"<urlset><url>{LOC}<lastmod>{'2' * n}</lastmod></url></urlset>".encode(),
        "a feed's date": f"<rss><item><pubDate>{'(' * 1000}</pubDate></item></rss>".encode() * (n // 1000),
        "nul": b"<urlset>" + ENTRY.encode() + b"\0" * n,
        "nul only": b"\0" * n,
        "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-urlset+AD4-',
        "surrogates": urlset(LOC).encode("utf-16") + b"\0\xd8" * (n // 2),
        "broken utf-8": b"<urlset><url><loc>https://shop.example/" + b"\xff" * n,
        "shift": b'<?xml version="1.0" encoding="iso-2022-jp"?><urlset>' + b"\x1b$B\x1b(B" * (n // 7),
        "lines": b"https://shop.example/\n" * (n // 20),
        "empty lines": b"https://shop.example/\n" + b"\n\r" * (n // 2),
        "one line": b"https://shop.example/" + b"a" * n,
        "no lines": b"\r" * n,
        "members": gzip.compress(b"") * (n // 20),
        "member heads": b"\x1f\x8b" * (n // 2),
        "noise in gzip": b"\x1f\x8b\x08\x00\0\0\0\0\0\0" + random.Random(1).randbytes(n),
        "file name in gzip": b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"n" * n,
        "relative children": b"<sitemapindex>" + b"<sitemap><loc>../../a/./b</loc></sitemap>" * (n // 42),
    }
