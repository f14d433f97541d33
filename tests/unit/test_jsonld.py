"""What a page's JSON-LD says about the organisation behind the site."""

import json
from pathlib import Path
from typing import Any

import pytest

from scrapersky.scraping import jsonld, organization
from scrapersky.scraping.jsonld import Graph
from scrapersky.scraping.page import parse_page

PAGES = Path(__file__).parent.parent / "data" / "pages"
URL = "https://shop.example/"


def read(*things: Any) -> tuple[dict[str, Any], ...]:
    return tuple(jsonld.read(json.dumps(list(things))))


def fullest(things: tuple[dict[str, Any], ...], base_url: str) -> dict[str, Any] | None:
    return max(organization.organizations(Graph(things), base_url), key=organization.fullness, default=None)


def test_organisation_and_its_address() -> None:
    page = parse_page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/", {})
    assert fullest(page.json_ld, page.url) == {
        "type": "Organization",
        "name": "Fen & Field Bakery Ltd",
        "legal_name": None,
        "alternate_name": None,
        "url": "https://fen-field.example/",
        "logo_url": "https://fen-field.example/wp-content/uploads/logo.png",
        "description": None,
        "email": "hello@fen-field.example",
        "telephone": "01632 960123",
        "telephones": ["01632 960123", "+441632960199"],
        "fax": None,
        "vat_id": "GB123456789",
        "tax_id": None,
        "lei_code": None,
        "duns": None,
        "founding_date": None,
        "price_range": None,
        "opening_hours": [],
        "geo": None,
        "parent": None,
        "founder": None,
        "same_as": ["https://www.linkedin.com/company/fen-field/", "https://www.instagram.com/fenfield/"],
    }
    assert organization.addresses(page.graph, page.url) == [
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
    chosen = fullest(read(bare, full, {"@type": "Organization", "url": URL, "email": "x", "taxID": "1"}), URL)
    assert chosen is not None
    assert chosen["name"] == "B"
    assert fullest(read({"@type": "Product", "name": "Boot"}), URL) is None


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
    summary = fullest(read({"@type": "Organization", "name": "A", name: written}), URL)
    assert summary is not None
    assert summary[field] == read_as


def test_publisher_of_the_site_counts_and_that_of_an_article_does_not() -> None:
    publisher = {"@type": "Organization", "name": "A", "logo": "/logo.png"}
    assert organization.logo(Graph(read({"@type": "WebSite", "publisher": publisher}))) == "/logo.png"
    assert fullest(read({"@type": "NewsArticle", "publisher": publisher}), URL) is None


def test_each_place_of_an_organisation_is_listed_once() -> None:
    here = {"@type": "PostalAddress", "addressLocality": "Ely"}
    shop = {"@type": "Store", "name": "S", "address": [here, "Quay 1, Ely"], "department": {"address": here}}
    assert [address["text"] for address in organization.addresses(Graph(read(shop)), URL)] == ["Ely", "Quay 1, Ely"]


def test_values_of_the_wrong_kind_are_none() -> None:
    odd = {"@type": "Organization", "name": ["", {"x": 1}, " A "], "telephone": 1234567, "logo": [{}], "email": True}
    summary = fullest(read({**odd, "address": {"streetAddress": None}}), URL)
    assert summary is not None
    assert (summary["name"], summary["telephone"], summary["logo_url"], summary["email"]) == (
        "A",
        "1234567",
        None,
        None,
    )
    assert organization.addresses(Graph(read({**odd, "address": {"streetAddress": None}})), URL) == []


def test_depth_and_number_of_objects_are_bounded() -> None:
    nested: dict[str, Any] = {"name": "core"}
    for _ in range(jsonld.MAX_DEPTH + 5):
        nested = {"inner": nested}
    assert "core" not in json.dumps(read(nested))
    many = read(*({"n": number} for number in range(2_000)))
    assert len(many) == jsonld.MAX_OBJECTS
    assert len(list(jsonld.walk(many + many))) == jsonld.MAX_OBJECTS


@pytest.mark.parametrize(
    "script",
    [
        "<!--\n" + '{"@type":"Organization","name":"A"}' + "\n-->",
        '/*<![CDATA[*/{"@type":"Organization","name":"A"}/*]]>*/',
        '{"@type":"Organization", /* ours, */ "name":"A", // and, more\n}',
        '{"@type":"Organization",,"name":"A",,}',
        '{"@type":"Organization","name":"A","slogan":"It\\\'s \\d"}',
        "{&quot;@type&quot;:&quot;Organization&quot;,&quot;name&quot;:&quot;A&quot;}",
        '{"@type":"WebSite"}\n{"@type":"Organization","name":"A"}',
        '{"@graph":{"@type":"Organization","name":"A"}}',
        '{"@type":"Organization","name":"A","url":"https://a.example/,]//x",}',
    ],
)
def test_faults_of_scripts_are_mended(script: str) -> None:
    thing = jsonld.read(script)[-1]
    assert (thing["@type"], thing["name"]) == ("Organization", "A")
    assert thing.get("url", "https://a.example/,]//x") == "https://a.example/,]//x"  # no fault within a text


def test_references_are_followed() -> None:
    objects = read(
        {"@type": "WebSite", "publisher": {"@id": "#org"}},
        {"@id": "#org", "@type": "Organization", "name": "A", "logo": {"@id": "#logo"}, "address": {"@id": "#addr"}},
        {"@id": "#logo", "@type": "ImageObject", "contentUrl": "/logo.svg"},
        {"@id": "#addr", "@type": "PostalAddress", "addressLocality": "Ely", "addressCountry": {"name": "GB"}},
        {"@id": "#self", "@type": "Organization", "name": "Loop", "parentOrganization": {"@id": "#self"}},
    )
    assert organization.logo(Graph(objects)) == "/logo.svg"
    assert [address["text"] for address in organization.addresses(Graph(objects), URL)] == ["Ely, GB"]
    assert [summary["name"] for summary in organization.organizations(Graph(objects), URL)] == ["A", "Loop"]


@pytest.mark.parametrize(
    ("written", "days", "opens", "closes"),
    [
        ("Mo-We 09:00-17:00", ["Monday", "Tuesday", "Wednesday"], "09:00", "17:00"),
        ("Sa,Su 10:00-12:00", ["Saturday", "Sunday"], "10:00", "12:00"),
        ("Su-Mo 9:00 - 12:00", ["Sunday", "Monday"], "9:00", "12:00"),
        ("by appointment", [], None, None),
    ],
)
def test_opening_hours_in_text(written: str, days: list[str], opens: str | None, closes: str | None) -> None:
    summary = fullest(read({"@type": "Store", "name": "S", "openingHours": [written]}), URL)
    assert summary is not None
    (hours,) = summary["opening_hours"]
    assert (hours["days"], hours["opens"], hours["closes"]) == (days, opens, closes)
    assert hours["text"] == written


def test_opening_hours_by_specification_and_what_else_a_business_says() -> None:
    business = {
        "@type": ["Restaurant", "LocalBusiness"],
        "name": {"@value": "Inn &amp; Oak"},
        "openingHoursSpecification": [
            {"dayOfWeek": ["https://schema.org/Monday", "Tuesday"], "opens": "11:00", "closes": "22:00"},
            {"dayOfWeek": {"@id": "schema:Sunday"}, "opens": "12:00", "closes": "15:00", "validThrough": "2026-12-31"},
            {"description": "closed in August"},
        ],
        "geo": {"@type": "GeoCoordinates", "latitude": "52,5", "longitude": 13.25},
        "contactPoint": {"@type": "ContactPoint", "telephone": "+49 30 1234567", "email": "tisch@inn.example"},
        "parentOrganization": {"name": "Oak Group"},
        "founder": "A. Oak",
        "faxNumber": "+49 30 7654321",
    }
    summary = fullest(read(business), URL)
    assert summary is not None
    assert summary["name"] == "Inn & Oak"
    assert [(hours["days"], hours["opens"]) for hours in summary["opening_hours"]] == [
        (["Monday", "Tuesday"], "11:00"),
        (["Sunday"], "12:00"),
    ]
    assert summary["opening_hours"][1]["valid_through"] == "2026-12-31"
    assert summary["geo"] == {"latitude": 52.5, "longitude": 13.25}
    assert (summary["email"], summary["telephone"]) == ("tisch@inn.example", "+49301234567")
    assert (summary["parent"], summary["founder"], summary["fax"]) == ("Oak Group", "A. Oak", "+49307654321")


@pytest.mark.parametrize("geo", [{"latitude": 0, "longitude": 0}, {"latitude": 91, "longitude": 1}, {"latitude": "x"}])
def test_coordinates_that_cannot_be_are_none(geo: dict[str, Any]) -> None:
    summary = fullest(read({"@type": "Organization", "name": "A", "geo": geo}), URL)
    assert summary is not None
    assert summary["geo"] is None


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Fen &amp; Field&#39;s", "Fen & Field's"),
        ("https://shop.example/?a=1&copy=2&lt=3", "https://shop.example/?a=1&copy=2&lt=3"),
        ("A & B; C", "A & B; C"),
        ("&bogus;", "&bogus;"),
    ],
)
def test_entities_are_undone_and_queries_left_alone(written: str, read_as: str) -> None:
    assert jsonld.strings(written) == [read_as]
