"""Phone numbers in links, fields and text, what only looks like one, and what each is in E.164."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping import numbers, phones, regions


def full_width(text: str) -> str:
    """ASCII's signs as Japanese pages write them: U+FF01 to U+FF5E."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def found_in(text: str) -> list[tuple[str, str]]:
    return [(found.text, found.label) for found in phones.numbers_in(phones.readable(text))]


@pytest.mark.parametrize(
    ("number", "typical"),
    [
        ("(0 62 01) 55 01-4", True),
        ("0621 5501", True),
        ("206-555-0142", True),
        ("0 62 01 55", False),
        ("4 55 01", False),
    ],
)
def test_number_that_is_written_as_hardly_anything_else_is(number: str, typical: bool) -> None:
    assert phones.is_typical(number) is typical


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("+49 (0)30 123456", "+49 (0)30 123456"),
        ("%2B44%2020%207946%200321", "+44 20 7946 0321"),
        ("030-123 456;ext=3", "030-123 456"),
        ("08001234567,,12", "08001234567"),
        ("+49301234567p12", "+49301234567"),
        ("+49-30-1234567#", "+49-30-1234567"),
        ("//030123456", "030123456"),
        ("+1-800-FLOWERS", "+1-800-FLOWERS"),
        ("tel:+49301234567", "+49301234567"),
        ("030%201234567%20(Office)", "030 1234567"),
        ("%E2%80%8B030 1234567", "030 1234567"),
        ("112", None),
        ("00000000", None),
        ("123456789", None),
        ("0123456789", None),
        ("030 123456789 030 123456789", None),
        ("#", None),
        ("", None),
    ],
)
def test_number_of_a_tel_link(target: str, number: str | None) -> None:
    assert phones.number_of_link(target) == number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Tel.: 030 / 1234 567 Fax: 030 1234568", [("030 / 1234 567", "phone"), ("030 1234568", "fax")]),
        ("Telefon\n030 1234567", [("030 1234567", "phone")]),
        ("Tel:\n          \n          030 1234567", [("030 1234567", "phone")]),
        ("Tel/Fax: 030 7654321", [("030 7654321", "phone")]),
        ("Telefon und Fax: 030 7654321", [("030 7654321", "phone")]),
        ("Tel 030 1234567 / 030 1234568", [("030 1234567", "phone"), ("030 1234568", "phone")]),
        ("Tel.: 971 555 472 - 971 555 002", [("971 555 472", "phone"), ("971 555 002", "phone")]),
        ("Tel. 030 23125111 - 12", [("030 23125111 - 12", "phone")]),
        ("Tel. 0171 1234567 oder 0172 1234567", [("0171 1234567", "phone"), ("0172 1234567", "phone")]),
        ("Tel: 6555 0123 / 6555 0124", [("6555 0123", "phone"), ("6555 0124", "phone")]),
        ("Tel. 030 1234-0 / -10", [("030 1234-0", "phone")]),
        ("Tel. 030 1234567 8:00-18:00", [("030 1234567", "phone")]),
        ("Tel. 030 1234567 8-17 Uhr", [("030 1234567", "phone")]),
        ("Hotline: 01805 123456 (0,14 €/Min)", [("01805 123456", "phone")]),
        ("+49\xa030\u2009123\u2013456", [("+49 30 123-456", "")]),
        ("(206) 555-0142", [("(206) 555-0142", "")]),
        ("Call us today at 206-555-0142", [("206-555-0142", "phone")]),
        ("Order: 1-800-FLOWERS!", [("1-800-FLOWERS", "phone")]),
        ("T: 01 2345678", [("01 2345678", "phone")]),
        ("F +44 20 7946 0321", [("+44 20 7946 0321", "fax")]),
        ("030 1234567 (Fax)", [("030 1234567", "fax")]),
        ("Тел.: 067 555 01 24 Τηλ. 22810 55512", [("067 555 01 24", "phone"), ("22810 55512", "phone")]),
        (
            full_width("電話:03-5555-0123 FAX:03-5555-0124"),
            [("03-5555-0123", "phone"), ("03-5555-0124", "fax")],
        ),
        ("TEL03-5555-0123", [("03-5555-0123", "phone")]),
        ("0\u200b30 1234567", [("030 1234567", "")]),
        ("030 1234567Fax 030 7654321", [("030 1234567", ""), ("030 7654321", "fax")]),
        ("Hotel 030 1234567", [("030 1234567", "")]),
        ("Tel. 0301234567, 0301234568", [("0301234567", "phone"), ("0301234568", "phone")]),
        ("0301234567 (Fax)", [("0301234567", "fax")]),
    ],
)
def test_numbers_in_text_with_their_labels(text: str, found: list[tuple[str, str]]) -> None:
    assert found_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "IBAN DE02 1203 0000 0000 2020 51, HRB 1234567",
        "BE71 0961 2345 6769",
        "USt-IdNr. DE 812 345 678 · Steuernummer 37/123/45678",
        "SIRET 812 345 678 00014, P. IVA 01234567890, NIP: 676-123-45-67",
        "ABN 12 345 678 901 ACN 345 678 901",
        "Org.nr 556123-4567 | Bankgiro 123-4567",
        "ISBN 978-3-16-148410-0, 1.234.567,89 EUR, 2010-2024 1234567",
        "EAN 4006381333931 Art.-Nr. 4711081",
        "Phone: 2023-01-01 12",
        "01.04.2025 - 31.10.2025, 02/09/2024 - 18/10/2024",
        "8.00 - 17.30 Uhr 09.00-12.00",
        "don't 1234567 and #+1234567890",
        "192.168.100.200 and 52.520008, 13.404954",
        "€ 1 250 000 and 24 500 000 CHF, 2400 600 720 mm",
        "order_0301234567 /0301234567 id=0301234567",
        "Tel: 0000000",
        "Call 1-800-XXX-XXXX",
        "UA-09817443-1 GTM-0301234567",
        "0821 5858 5051 8915",
    ],
)
def test_numbers_of_other_things(text: str) -> None:
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tel:+49 (0)30 1234567", "+49301234567"),
        ("+49 30 1234567", "+49301234567"),
        ("030  1234567", "030 1234567"),
        ("+0049301234", None),
        ("030 123 DW 4", None),
        ("", None),
    ],
)
def test_number_as_given(text: str, number: str | None) -> None:
    assert phones.number_as_given(text) == number


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("0711 / 12 34 56-0", "DE", "+497111234560"),
        ("+49 (0)30 1234567", "", "+49301234567"),
        ("0049 30 1234567", "", "+49301234567"),
        ("49 30 1234567", "DE", "+49301234567"),
        ("+0711 1234567", "DE", "+497111234567"),
        ("020 7946 0321", "GB", "+442079460321"),
        ("07700 900123", "GB", "+447700900123"),
        ("(02) 9876 5432", "AU", "+61298765432"),
        ("1300 975 711", "AU", "+611300975711"),
        ("01 23 45 67 89", "FR", "+33123456789"),
        ("912 345 678", "ES", "+34912345678"),
        ("02 1234567", "IT", "+39021234567"),
        ("+39 (0)2 1234567", "", "+39021234567"),
        ("020 - 123 4567", "NL", "+31201234567"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("(206) 555-0142", "US", "+12065550142"),
        ("030 1234567", "", None),
        ("1234567", "DE", None),
        ("555-555-5555", "US", None),
        ("+49 123 456789", "", None),
        ("+1 234 567 890", "", None),
        ("0004-2012", "GB", None),
        ("0900 1234567", "DE", None),
        ("0870 123 4567", "GB", "+448701234567"),
        ("0909 123 4567", "GB", None),
        ("0800 1111", "GB", None),
        ("112", "DE", None),
        ("030 1234567", "XX", None),
    ],
)
def test_e164(text: str, country: str, number: str | None) -> None:
    assert numbers.e164(text, [country] if country else [], declared=True) == number


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("030 1234567", "DE", "+49301234567"),
        ("0 805 123 456", "FR", "+33805123456"),
        ("06 39 98 44 55", "FR", "+33639984455"),  # for fiction: of the right length, but no plan has it
        ("206-555-0142", "US", "+12065550142"),
        ("601 555 012", "PL", "+48601555012"),
        ("91 555 01 23", "ES", "+34915550123"),
        ("0 80 42 / 99 99 0-12", "DE", "+4980429999012"),
        ("0301234567", "DE", None),
        ("069-86924", "DE", None),
        ("522-3229-576", "US", None),
        ("045-67406", "IT", None),
        ("84234-4017", "ES", None),
        ("81 6755 721", "ES", None),
        ("9168.8608.", "PL", None),
        ("123 456 789", "FR", None),
        ("82 345 67", "DE", None),
    ],
)
def test_a_number_without_label_needs_its_country_s_form(text: str, country: str, number: str | None) -> None:
    assert numbers.unlabelled(text, [country], likely=True) == number


def test_of_several_countries_the_first_whose_plan_has_the_number() -> None:
    assert numbers.e164("044 555 01 90", ["US", "CH", "DE"], declared=True) == "+41445550190"


@pytest.mark.parametrize(
    ("domain", "country"),
    [
        ("firma.de", "DE"),
        ("firma.co.uk", "GB"),
        ("firma.wien", "AT"),
        ("firma.com", None),
        ("firma.io", None),
        ("firma.eu", None),
        ("firma.xn--p1ai", None),
    ],
)
def test_country_of_a_domain(domain: str, country: str | None) -> None:
    assert regions.country_of_domain(domain) == country


def test_order_of_countries() -> None:
    assert regions.in_order("firma.de", languages=["en-GB"], countries=["Österreich"], dialled=["CH"]) == (
        ["DE", "AT", "GB", "CH"],
        [],
    )
    # What a shop system is set to at first is only a guess, and a language without a country too.
    assert regions.in_order("firma.com", languages=["en-US", "fr"], countries=["nowhere"], dialled=[]) == (
        [],
        ["US", "FR"],
    )


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("Leeds LS9 0ZZ, # call", "GB"),
        ("Mesa, AZ 85201 #", "US"),
        ("Squamish BC V8B 0Z9 #", "CA"),
        ("Austria\n# and far from Germany", "AT"),
        ("# Zürich, Switzerland", "CH"),
        ("usa cookies # industrial", None),
    ],
)
def test_country_of_an_address_beside(text: str, country: str | None) -> None:
    at = text.index("#")
    assert regions.country_near(text, at, at + 1) == country


@given(st.text(max_size=200), st.sampled_from(["DE", "US", "IT"]))
def test_any_text_is_read(text: str, country: str) -> None:
    for found in phones.numbers_in(phones.readable(text)):
        number = numbers.e164(found.text, [country], declared=bool(found.label))
        assert number is None or (number[0] == "+" and 8 <= len(number) <= 16)
    for given_text in (phones.number_of_link(text), phones.number_of_field(text), text):
        numbers.e164(given_text or "", [country], declared=True)
        numbers.unlabelled(given_text or "", [country], likely=True)
    phones.number_as_given(text)
    regions.in_order(text, languages=[text], countries=[text], dialled=[])


@given(st.text("+(0123456789 )/.-\u2013\uff08\u00b7ax\n\u20ac\u65e5", max_size=300))
def test_runs_are_found_where_the_pattern_alone_finds_them(text: str) -> None:
    for written in (text, f"{text} Tel. 030 1234567, " * 60):
        found = [match.span() for match in phones._runs(written)]
        assert found == [match.span() for match in phones._RUN.finditer(written)]
