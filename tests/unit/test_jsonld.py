"""What a page's JSON-LD says about the organisation behind the site."""

import json
from pathlib import Path
from typing import Any

import pytest

from scrapersky.scraping import jsonld
from scrapersky.scraping.page import parse_page

PAGES = Path(__file__).parent.parent / "data" / "pages"
URL = "https://shop.example/"


def read(*things: Any) -> tuple[dict[str, Any], ...]:
    return tuple(jsonld.read(json.dumps(list(things))))


def test_organisation_and_its_address() -> None:
    page = parse_page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/", {})
    assert jsonld.organization(page.json_ld, page.url) == {
        "type": "Organization",
        "name": "Fen & Field Bakery Ltd",
        "legal_name": None,
        "url": "https://fen-field.example/",
        "logo_url": "https://fen-field.example/wp-content/uploads/logo.png",
        "description": None,
        "email": "hello@fen-field.example",
        "telephone": "01353 496 0123",
        "vat_id": "GB123456789",
        "tax_id": None,
        "founding_date": None,
        "same_as": ["https://www.linkedin.com/company/fen-field/", "https://www.instagram.com/fenfield/"],
    }
    assert jsonld.addresses(page.json_ld, page.url) == [
        {
            "street_address": "3 Quay Lane",
            "postal_code": "CB7 4BA",
            "locality": "Ely",
            "region": None,
            "country": "GB",
            "text": "3 Quay Lane, CB7 4BA, Ely, GB",
            "page_url": "https://fen-field.example/",
            "method": "json-ld",
        }
    ]


@pytest.mark.parametrize(
    ("thing", "is_one"),
    [
        ({"@type": "Organization"}, True),
        ({"@type": "http://schema.org/LocalBusiness"}, True),
        ({"@type": ["Thing", "schema:Corporation"]}, True),
        ({"@type": "HardwareStore"}, True),
        ({"@type": "Restaurant", "name": "Inn", "address": "Quay 1"}, True),
        ({"@type": "Restaurant", "name": "Inn"}, False),
        ({"@type": "Person", "name": "Ann", "address": "Quay 1"}, False),
        ({"@type": "Apartment", "name": "Flat", "address": "Quay 1"}, False),
        ({"@type": "Product", "name": "Boot"}, False),
        ({"name": "Boot", "address": "Quay 1"}, False),
    ],
)
def test_what_is_an_organisation(thing: dict[str, Any], is_one: bool) -> None:
    assert jsonld.is_organization(thing) == is_one


def test_fullest_organisation_speaks_for_the_site() -> None:
    bare, full = {"@type": "Organization", "name": "A"}, {"@type": "Organization", "name": "B", "telephone": "1"}
    chosen = jsonld.organization(
        read(bare, full, {"@type": "Organization", "url": URL, "email": "x", "taxID": "1"}), URL
    )
    assert chosen is not None
    assert chosen["name"] == "B"
    assert jsonld.organization(read({"@type": "Product", "name": "Boot"}), URL) is None


@pytest.mark.parametrize(
    ("name", "written", "field", "read_as"),
    [
        ("email", "mailto:Info@Shop.example?subject=Hello", "email", "info@shop.example"),
        ("email", ["", "write to us", "info@shop.example"], "email", "info@shop.example"),
        ("email", "write to us", "email", None),
        ("telephone", "tel:+49 (0)30 1234567", "telephone", "+49301234567"),
        ("telephone", "030 1234567", "telephone", "030 1234567"),
        ("telephone", "0800 FLOWERS", "telephone", "0800 FLOWERS"),
        ("url", "/", "url", "https://shop.example/"),
        ("url", "https://shop.example", "url", "https://shop.example/"),
        ("url", "//shop.example/x", "url", "https://shop.example/x"),
        ("url", "shop.example", "url", None),
        ("url", "urn:shop", "url", None),
        ("logo", "img/logo.png", "logo_url", "https://shop.example/img/logo.png"),
        ("logo", {"@type": "ImageObject", "url": "/logo.png"}, "logo_url", "https://shop.example/logo.png"),
        ("logo", "data:image/png;base64,AAAA", "logo_url", None),
        (
            "sameAs",
            ["//github.com/shop", "https://GitHub.com/shop", "x.com/shop", "https://[", "https://x.com/shop"],
            "same_as",
            ["https://github.com/shop", "https://x.com/shop"],
        ),
    ],
)
def test_contacts_and_addresses_are_in_the_form_that_the_site_s_own_have(
    name: str, written: Any, field: str, read_as: str | list[str] | None
) -> None:
    summary = jsonld.organization(read({"@type": "Organization", "name": "A", name: written}), URL)
    assert summary is not None
    assert summary[field] == read_as


def test_publisher_of_the_site_counts_and_that_of_an_article_does_not() -> None:
    publisher = {"@type": "Organization", "name": "A", "logo": "/logo.png"}
    assert jsonld.logo(read({"@type": "WebSite", "publisher": publisher})) == "/logo.png"
    assert jsonld.organization(read({"@type": "NewsArticle", "publisher": publisher}), URL) is None


def test_each_place_of_an_organisation_is_listed_once() -> None:
    here = {"@type": "PostalAddress", "addressLocality": "Ely"}
    shop = {"@type": "Store", "name": "S", "address": [here, "Quay 1, Ely"], "department": {"address": here}}
    assert [address["text"] for address in jsonld.addresses(read(shop), URL)] == ["Ely", "Quay 1, Ely"]


def test_values_of_the_wrong_kind_are_none() -> None:
    odd = {"@type": "Organization", "name": ["", {"x": 1}, " A "], "telephone": 1234567, "logo": [{}], "email": True}
    summary = jsonld.organization(read({**odd, "address": {"streetAddress": None}}), URL)
    assert summary is not None
    assert (summary["name"], summary["telephone"], summary["logo_url"], summary["email"]) == (
        "A",
        "1234567",
        None,
        None,
    )
    assert jsonld.addresses(read({**odd, "address": {"streetAddress": None}}), URL) == []


def test_depth_and_number_of_objects_are_bounded() -> None:
    nested: dict[str, Any] = {"name": "core"}
    for _ in range(jsonld.MAX_DEPTH + 5):
        nested = {"inner": nested}
    assert "core" not in json.dumps(read(nested))
    many = read(*({"n": number} for number in range(2_000)))
    assert len(many) == jsonld.MAX_OBJECTS
    assert len(list(jsonld.walk(many + many))) == jsonld.MAX_OBJECTS
