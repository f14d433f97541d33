"""However a list of entries is written as XML, and however its bytes come, it is read back the same."""

import gzip
import random
import re
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scrapersky.domain.sitemaps import SitemapType
from scrapersky.scraping.sitemaps import canonical, markup
from scrapersky.scraping.sitemaps.entry import Entry
from support.sitemap_reads import at_random, outcome, read

PATHS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20)
ENTRIES = st.lists(
    st.builds(
        lambda path, rest, lastmod, changefreq, priority, counts: (
            "https://shop.example/" + path + rest,
            *(lastmod, changefreq, priority, *counts),
        ),
        PATHS,
        st.sampled_from(["", "?a=1&b=2", "#x", "&amp;", "'\"", "]]>", "a b"]),
        st.none() | st.sampled_from(["2024", "2024-02-29", "2024-02-29T10:00:00Z", "2024-02-29 10:00:00+0100"]),
        st.none() | st.sampled_from(["daily", "never"]),
        st.none() | st.sampled_from(["0.5", "1", "1.0", "0"]),
        st.tuples(*[st.integers(0, 2)] * 4) | st.just((0, 0, 0, 0)),
    ),
    max_size=12,
)
EXTENSIONS = (
    "<{image}image><{image}loc>https://shop.example/a.jpg</{image}loc></{image}image>",
    "<{video}video><{video}content_loc>https://shop.example/v</{video}content_loc></{video}video>",
    "<{news}news><{news}publication><{news}name>N</{news}name></{news}publication></{news}news>",
    '<{xhtml}link rel="alternate" hreflang="de" href="https://shop.example/de"/>',
)
URIS = {
    "image": "http://www.google.com/schemas/sitemap-image/1.1",
    "video": "http://www.google.com/schemas/sitemap-video/1.1",
    "news": "http://www.google.com/schemas/sitemap-news/0.9",
    "xhtml": "http://www.w3.org/1999/xhtml",
}


class Writer:
    """Writes entries in one of the many valid ways, by chance."""

    def __init__(self, rng: random.Random, encoding: str) -> None:
        self.rng = rng
        self.encoding = encoding
        self.plain = rng.random() < 0.3  # as most files are
        self.indented = rng.random() < 0.5
        prefix = "" if self.plain else rng.choice(["", "", "sm:"])
        self.prefix = prefix
        self.aliases = {name: name if self.plain else rng.choice([name, f"{name}1"]) for name in URIS}

    def document(self, entries: list[Entry]) -> bytes:
        encoding = self.encoding
        root = f"{self.prefix}urlset"
        own = f'xmlns{":" + self.prefix[:-1] if self.prefix else ""}="http://www.sitemaps.org/schemas/sitemap/0.9"'
        others = "".join(f" xmlns:{alias}='{URIS[name]}'" for name, alias in self.aliases.items())
        text = f"<?xml version='1.0' encoding=\"{encoding}\"?>{self.space()}" if self.plain or self.maybe() else ""
        if encoding.startswith("latin") and not text:
            text = '<?xml version="1.0" encoding="iso-8859-1"?>'
        text += f"<{root} {own}{others}>{self.space()}"
        text += "".join(self.entry(entry) for entry in entries) + f"</{root}>{self.space()}"
        body = text.encode(encoding, "xmlcharrefreplace")
        return gzip.compress(body) if self.rng.random() < 0.2 else body

    def entry(self, entry: Entry) -> str:
        url, lastmod, changefreq, priority, *counts = entry
        fields = [
            self.element(name, text)
            for name, text in (("loc", url), ("lastmod", lastmod), ("changefreq", changefreq), ("priority", priority))
            if text is not None
        ]
        prefixes = {name: f"{alias}:" for name, alias in self.aliases.items()}
        for count, extension in zip(counts, EXTENSIONS, strict=True):
            fields += [extension.format(**prefixes)] * count
        if not self.plain:
            self.rng.shuffle(fields)
        between = self.space
        tag = f"{self.prefix}url"
        return f"<{tag}>{between()}{between().join(fields)}{between()}</{tag}>{between()}"

    def element(self, name: str, text: str) -> str:
        tag = f"{self.prefix}{name}"
        if self.plain:
            return f"<{tag}>{escape(text)}</{tag}>"
        space = self.rng.choice(["", "", " ", "\n\t"])
        attribute = self.rng.choice(["", "", " ", ' lang="de"'])
        return f"<{tag}{attribute}>{space}{self.text(text)}{space}</{tag}>"

    def text(self, text: str) -> str:
        way = self.rng.randrange(4)
        if way == 0 and "]]>" not in text and text.encode(self.encoding, "ignore").decode(self.encoding) == text:
            return f"<![CDATA[{text}]]>"
        if way == 1:
            return "".join(f"&#{ord(c)};" if self.maybe() else f"&#x{ord(c):X};" for c in text)
        if way == 2:
            cut = self.rng.randint(0, len(text))
            return escape(text[:cut]) + self.rng.choice(["<!-- <loc> -->", "<?x y?>", ""]) + escape(text[cut:])
        return escape(text, {"'": "&apos;", '"': "&quot;"})

    def space(self) -> str:
        if self.plain:
            return "\n  " if self.indented else ""
        return self.rng.choice(["", "", " ", "\r\n", "\n\t", "<!-- <url><loc>https://x.example/</loc></url> -->"])

    def maybe(self) -> bool:
        return self.rng.random() < 0.5


@settings(max_examples=120)
@given(ENTRIES, st.randoms(use_true_random=False), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
def test_entries_are_read_back_however_they_are_written_and_cut(
    entries: list[Entry], rng: random.Random, encoding: str
) -> None:
    # Such letters in a row are the bytes of one in UTF-8, and are taken for it.
    assume(encoding != "latin-1" or not any(re.search("[\xc2-\xf4][\x80-\xbf]", entry[0]) for entry in entries))
    body = Writer(rng, encoding).document(entries)
    whole, reader = read(body)
    assert whole == entries
    assert (reader.sitemap_type, reader.is_partial, reader.error) == (SitemapType.URLSET, False, None)
    assert reader.skipped_count == 0
    assert reader.has_lastmod == any(entry[1] for entry in entries)
    assert reader.image_count == sum(entry[4] for entry in entries)
    assert reader.alternate_count == sum(entry[7] for entry in entries)
    assert outcome(*read(body, at_random(body, rng, rng.choice([1, 7, 300])))) == outcome(whole, reader)


def documents() -> dict[str, bytes]:
    """One of each kind; all are longer than the head that a file is told by."""
    fill = "<!-- " + "x" * 4200 + " -->"
    entry = "<loc>https://shop.example/ä?a=1&amp;b=%d</loc><lastmod>2024-01-0%d</lastmod>"
    plain = "".join(f"<url>{entry % (i, i % 9 + 1)}</url>\n" for i in range(100))
    return {
        "plain": f"<urlset>{plain}</urlset>".encode(),
        "ascii": f"<urlset>{plain}</urlset>".replace("ä", "a").encode(),
        "latin-1": f'<?xml version="1.0" encoding="ISO-8859-1"?><urlset>{plain}</urlset>'.encode("latin-1"),
        "utf-16": f"<urlset>{plain}</urlset>".encode("utf-16"),
        "sjis": f'<?xml version="1.0" encoding="Shift_JIS"?><urlset>{plain}</urlset>'.replace("ä", "日本").encode(
            "sjis"
        ),
        "gzip": gzip.compress(plain[:3000].encode()) + gzip.compress(b"x"),
        "members": gzip.compress(b"<urlset>") + gzip.compress(plain.encode()) + gzip.compress(b"</urlset>") + b"\0" * 9,
        "comment": f"<urlset>{fill}{plain}<![CDATA[ <url> ]]>{fill}</urlset>".encode(),
        "broken": f"<urlset>{plain}<url><loc>https://shop.example/x</url>{plain}</urlset>".encode(),
        "junk": f"<urlset>{plain}</urlset>\0\0".encode(),
        "text": "".join(f"https://shop.example/{i}\r\n\nmailto:x\r" for i in range(300)).encode(),
        "html": b"<!doctype html><title>x</title>" + b"<p>text" * 1000,
        "doctype": b"<!DOCTYPE urlset [<!ENTITY a 'b'>]>" + plain.encode(),
        "deep": b"<urlset>" + b"<a>" * 3000,
        "rss": f"<rss><channel>{fill}<item><link>https://a.example/</link></item></channel></rss>".encode(),
        "truncated gzip": gzip.compress(random.Random(1).randbytes(9000).hex().encode() + plain.encode())[:-9],
        "empty": b"",
    }


@pytest.mark.parametrize("name", documents())
def test_bytes_may_be_split_anywhere(name: str) -> None:
    body = documents()[name]
    whole = outcome(*read(body))
    assert outcome(*read(body, (body[i : i + 1] for i in range(len(body))))) == whole
    for cut in range(0, len(body), max(1, len(body) // 300)):
        assert outcome(*read(body, (body[:cut], b"", body[cut:]))) == whole


def without_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "end_of_prolog", lambda _: 0)


@settings(max_examples=200)
@given(st.data())
def test_the_short_way_reads_what_expat_reads(data: Any) -> None:
    pieces = st.sampled_from(
        [
            *("<url>", "</url>", "<loc>", "</loc>", "<lastmod>", "</lastmod>", "<priority>", "</priority>", "<url/>"),
            *("https://a.example/", "https://a.example/?a&amp;b", "http://", " ", "\n", "2024-01-01", "0.5", "&lt;"),
            *(
                "&",
                "<",
                ">",
                "]]>",
                "<!-- </url> -->",
                "<![CDATA[</url>]]>",
                "é",
                "\x0b",
                "\xa0",
                "x" * 2100,
                "</urlset>",
            ),
            "<url><loc>https://b.example/1</loc></url>",
            "<url><loc>\nhttps://b.example/2 </loc>\n<lastmod>2024-01-01 </lastmod></url>",
            "<url><loc>HTTPS://b.example/3</loc><priority>.5</priority></url>",
            "<url><priority>2</priority><loc>https://b.example/4</loc><loc>https://b.example/5</loc></url>",
            f"<url><loc>{' ' * 9000}https://b.example/6</loc></url>",
            f"<url><loc>https://b.example/{'a' * 3000}</loc></url>",
            "<url><loc>ftp://b.example/7</loc></url>",
        ]
    )
    good = st.lists(st.sampled_from(["<url><loc>https://c.example/</loc></url>\n"]), max_size=3)
    body = "<urlset>" + "".join(data.draw(good) + data.draw(st.lists(pieces, max_size=12)))
    body += data.draw(st.sampled_from(["</urlset>", ""]))
    short = outcome(*read(body.encode()))
    with pytest.MonkeyPatch.context() as patch:
        without_the_short_way(patch)
        assert outcome(*read(body.encode())) == short


def test_the_short_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = canonical.Canonical._take

    def counted(self: canonical.Canonical, found: list[tuple[str, ...]]) -> None:
        taken.append(len(found))
        take(self, found)

    monkeypatch.setattr(canonical.Canonical, "_take", counted)
    read(documents()["ascii"])
    assert sum(taken) == 100
    taken.clear()
    without_the_short_way(monkeypatch)
    assert len(read(documents()["ascii"])[0]) == 100
    assert taken == []
