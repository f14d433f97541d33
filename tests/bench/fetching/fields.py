"""The same facts as a scan's, the way users of parsel select them: one expression for each fact."""

import json
import re
from typing import Any

from bench.fetching.measure import NETWORKS

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
PHONE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s()./-]{6,}\d")
SEEN_TEXT = "//body//text()[not(ancestor::script or ancestor::style or ancestor::noscript or ancestor::template)]"


def extract(page: Any) -> dict[str, Any]:
    """The facts of a page; `page` is a parsel Selector of it, or a Scrapy response, which has the same methods."""
    hrefs: list[str] = page.css("a::attr(href)").getall()
    assets = page.css("script::attr(src), link[rel=stylesheet]::attr(href), img::attr(src)").getall()
    generators = page.css("meta[name=generator]::attr(content)").getall()
    things = [json.loads(text) for text in page.css("script[type='application/ld+json']::text").getall()]
    text = " ".join(page.xpath(SEEN_TEXT).getall())
    emails = {href[7:].partition("?")[0] for href in hrefs if href.startswith("mailto:")}
    emails.update(thing["email"] for thing in things if "email" in thing)
    emails.update(EMAIL.findall(text))
    phones = {href[4:] for href in hrefs if href.startswith("tel:")}
    phones.update(thing["telephone"] for thing in things if "telephone" in thing)
    phones.update(PHONE.findall(text))
    return {
        "title": page.css("title::text").get(),
        "description": page.css("meta[name=description]::attr(content)").get(),
        "language": page.css("html::attr(lang)").get(),
        "canonical_url": page.css("link[rel=canonical]::attr(href)").get(),
        "favicon_url": page.css("link[rel~=icon]::attr(href)").get(),
        "open_graph": {tag.attrib["property"]: tag.attrib.get("content") for tag in page.css("meta[property^='og:']")},
        "is_wordpress": any("/wp-content/" in url or "/wp-includes/" in url for url in assets)
        or any(text.startswith("WordPress") for text in generators),
        "emails": sorted(emails),
        "phones": sorted(phones),
        "social_links": {name: next((url for url in hrefs if f"{name}.com/" in url), None) for name in NETWORKS},
        "organization": next((thing for thing in things if thing.get("@type") == "Organization"), None),
        "links": len(hrefs),
    }
