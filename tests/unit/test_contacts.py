"""E-mail addresses, phone numbers and profiles, each with where it was seen; and what is none of them."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.facts import Evidence
from scrapersky.scraping import emails, phones, social
from scrapersky.scraping.contacts import MAX_EMAILS, Contacts, find_contacts
from scrapersky.scraping.page import parse_page

PAGES = Path(__file__).parent.parent / "data" / "pages"


def contacts(markup: str, url: str = "https://shop.example/") -> Contacts:
    return find_contacts(parse_page(markup.encode(), url, {"content-type": "text/html; charset=utf-8"}))


def cfemail(address: str, key: int) -> str:
    """The token that Cloudflare makes of an address."""
    return bytes([key, *(byte ^ key for byte in address.encode())]).hex()


def test_german_imprint() -> None:
    url = "https://www.zimmerei-hoelzl.de/impressum"
    found = contacts((PAGES / "imprint_de.html").read_text(encoding="utf-8"), url)
    text = Evidence(url, "text")
    assert found.emails == {"buero@zimmerei-hoelzl.de": text, "datenschutz@zimmerei-hoelzl.de": text}
    assert found.phones == {"08642 / 12 34-0": text, "+491711234567": text}
    assert found.social == {
        "facebook": "https://www.facebook.com/zimmerei.hoelzl",
        "instagram": "https://www.instagram.com/zimmerei_hoelzl",
    }
    assert set(found.social_evidence.values()) == {Evidence(url, "link")}


def test_the_most_telling_source_is_the_evidence() -> None:
    found = contacts((PAGES / "wordpress.html").read_text(encoding="utf-8"), "https://fen-field.example/")
    assert {value: seen.method for value, seen in found.emails.items()} == {
        "hello@fen-field.example": "mailto",
        "orders@fen-field.example": "json-ld",
    }
    assert {value: seen.method for value, seen in found.phones.items()} == {
        "+4413534960123": "tel",
        "01353 496 0123": "json-ld",
        "+4413534960199": "json-ld",
    }
    assert found.social == {
        "linkedin": "https://www.linkedin.com/company/fen-field",
        "instagram": "https://www.instagram.com/fenfield",
    }
    assert {seen.method for seen in found.social_evidence.values()} == {"json-ld"}


def test_cloudflare_s_tokens_are_read() -> None:
    markup = (PAGES / "cloudflare.html").read_text(encoding="utf-8")
    markup = markup.replace("TOKEN_A", cfemail("front.desk@cedar.example", 0x7B))
    markup = markup.replace("TOKEN_B", cfemail("billing@cedar.example", 0x04))
    found = contacts(markup, "https://cedar.example/")
    assert {value: seen.method for value, seen in found.emails.items()} == {
        "front.desk@cedar.example": "cfemail",
        "billing@cedar.example": "cfemail",
    }


@pytest.mark.parametrize("token", ["", "7", "zz", "7b", "00ff", cfemail("no address", 1)])
def test_broken_token_of_cloudflare_is_nothing(token: str) -> None:
    assert emails.address_of_cfemail(token) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mail: Info@Firma.de.", ["info@firma.de"]),
        ("<a.b+c@sub.firma.co.uk>, x", ["a.b+c@sub.firma.co.uk"]),
        ("kontakt@müller.de", ["kontakt@müller.de"]),
        ("a@xn--mller-kva.de", ["a@xn--mller-kva.de"]),
        ("邮箱info@firma.com中文", ["info@firma.com"]),
        ("info [at] firma [dot] de", ["info@firma.de"]),
        ("info(at)firma.de", ["info@firma.de"]),
        ("me@163.com", ["me@163.com"]),
        ("logo@2x.png, hero@3x.webp", []),
        ("react@18.2.0 lodash@4.17.21/lodash.min.js pkg@1.2.3-beta.rc jquery@latest.min.js", []),
        ("https://user@host.com/ and medium.com/@acme", []),
        ("meet @ noon, a@b, @firma.de, x@.de, x@-", []),
        ("a..b@firma.de", []),
    ],
)
def test_addresses_in_text(text: str, found: list[str]) -> None:
    assert list(emails.addresses_in(text)) == found


def test_recipients_of_a_mailto_link_but_not_its_other_fields() -> None:
    assert list(emails.addresses_of_mailto("a%40firma.de,b@firma.de?cc=c@firma.de")) == ["a@firma.de", "b@firma.de"]
    assert list(emails.addresses_of_mailto("?subject=Look")) == []


@pytest.mark.parametrize(
    "address", ["name@firma.de", "you@shop.example", "a@example.com", "a@mail.example.org", "a@domain.com", "a@x.test"]
)
def test_placeholders_are_left_out(address: str) -> None:
    assert contacts(f"<p>{address}</p>", "https://www.firma.de/").emails == {}


def test_reserved_name_is_no_placeholder_on_its_own_site() -> None:
    assert list(contacts("<p>info@shop.example").emails) == ["info@shop.example"]
    assert list(contacts("<p>info@example.com", "https://example.com/").emails) == ["info@example.com"]
    assert list(contacts("<p>info@example.com").emails) == []


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("+49 (0)30 123456", "+4930123456"),
        ("+1-206-555-0142", "+12065550142"),
        ("%2B44%2020%207946%200321", "+442079460321"),
        ("030-123 456;ext=3", "030123456"),
        ("08001234567,,12", "08001234567"),
        ("//030123456", "030123456"),
        ("+0049301234", None),
        ("112", None),
        ("+1-800-FLOWERS", None),
        ("00000000", None),
        ("1234567890123456", None),
        ("", None),
    ],
)
def test_number_of_a_tel_link(target: str, number: str | None) -> None:
    assert phones.number_of_tel(target) == number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Tel.: 030 / 1234 567 Fax: 030 1234568", ["030 / 1234 567"]),
        ("Telefon\n030 1234567", ["030 1234567"]),
        ("Tel/Fax: 030 7654321", ["030 7654321"]),
        ("Tel 030 1234567 / 030 1234568", ["030 1234567", "030 1234568"]),
        ("Tel. 030 1234-0 / -10", ["030 1234-0"]),
        ("+49\xa030\xa0123456", ["+4930123456"]),
        ("(206) 555-0142", ["(206) 555-0142"]),
        ("Call us: 206-555-0142", ["206-555-0142"]),
        ("T: 01 2345678", ["01 2345678"]),
        ("Telefax: +49 30 999999", []),
        ("206-555-0142", []),
        ("IBAN DE02 1203 0000 0000 2020 51, HRB 1234567", []),
        ("ISBN 978-3-16-148410-0, 1.234.567,89 EUR, 2010-2024 1234567", []),
        ("Phone: 2023-01-01 12", []),
        ("don't 1234567 and #+1234567890", []),
        ("Tel: 0000000", []),
    ],
)
def test_numbers_in_text(text: str, found: list[str]) -> None:
    assert list(phones.numbers_in(text)) == found


def test_one_number_in_two_spellings_is_one() -> None:
    found = contacts('<a href="tel:0301234567">call</a> Tel. 030 / 123 45 67')
    assert found.phones == {"0301234567": Evidence("https://shop.example/", "tel")}


@pytest.mark.parametrize(
    ("href", "profile"),
    [
        ("http://facebook.com/acme/", ("facebook", "https://www.facebook.com/acme")),
        ("https://m.facebook.com/profile.php?id=123&x=y", ("facebook", "https://www.facebook.com/profile.php?id=123")),
        ("https://de-de.facebook.com/pages/Acme/12?ref=x", ("facebook", "https://www.facebook.com/pages/Acme/12")),
        ("//x.com/acme?lang=en", ("twitter", "https://x.com/acme")),
        ("https://mobile.twitter.com/@acme", ("twitter", "https://twitter.com/acme")),
        (
            "https://de.linkedin.com/company/acme-gmbh/about/",
            ("linkedin", "https://www.linkedin.com/company/acme-gmbh"),
        ),
        ("HTTPS://WWW.INSTAGRAM.COM/acme?hl=de", ("instagram", "https://www.instagram.com/acme")),
        ("https://www.youtube.com/@acme/videos", ("youtube", "https://www.youtube.com/@acme")),
        ("https://youtube.com/channel/UC123", ("youtube", "https://www.youtube.com/channel/UC123")),
        ("https://www.tiktok.com/@acme?_t=1", ("tiktok", "https://www.tiktok.com/@acme")),
        ("https://www.pinterest.de/acme/", ("pinterest", "https://www.pinterest.com/acme")),
        ("https://github.com/acme", ("github", "https://github.com/acme")),
    ],
)
def test_profile_has_one_spelling(href: str, profile: tuple[str, str]) -> None:
    assert social.profile(href) == profile
    assert social.profile(profile[1]) == profile


@pytest.mark.parametrize(
    "href",
    [
        "https://www.facebook.com/sharer/sharer.php?u=https://shop.example",
        "https://www.facebook.com/tr?id=1&ev=PageView",
        "https://www.facebook.com/acme/posts/123",
        "https://www.facebook.com/",
        "https://twitter.com/intent/tweet?text=x",
        "https://twitter.com/acme/status/1",
        "https://twitter.com/share",
        "https://www.linkedin.com/shareArticle?url=x",
        "https://www.instagram.com/p/Cabc/",
        "https://www.youtube.com/embed/abc",
        "https://www.youtube.com/watch?v=abc",
        "https://www.pinterest.com/pin/create/button/?url=x",
        "https://github.com/acme/library",
        "https://facebook.com.evil.example/acme",
        "https://netflix.com/acme",
        "https://evilfacebook.com/acme",
        "https://[x.com/acme",
        "/facebook.com/acme",
        "https://www.facebook.com/<script>",
    ],
)
def test_what_is_no_profile(href: str) -> None:
    assert social.profile(href) is None


def test_of_several_profiles_the_most_linked_is_the_site_s() -> None:
    post, own = '<a href="https://x.com/somebody">', '<a href="https://x.com/acme">'
    assert contacts(post + own + own).social == {"twitter": "https://x.com/acme"}
    person, company = "https://www.linkedin.com/in/boss", "https://www.linkedin.com/company/acme"
    assert contacts(f'<a href="{person}"><a href="{company}">').social == {"linkedin": company}


def test_a_directory_s_addresses_are_capped() -> None:
    assert len(contacts(" ".join(f"a{i}@firma.de" for i in range(300))).emails) == MAX_EMAILS


@pytest.mark.parametrize(
    "piece", ["a@", "@a.", "a.", "(at)", "+1 ", "0123456789", "( ", "tel ", "tel: ", "a@a.a.", "-/ "]
)
def test_time_is_linear_in_the_text(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()
    list(emails.addresses_in(text))
    list(phones.numbers_in(text))
    assert time.process_time() - begun < 5  # seconds; each takes far less than one, and hours if it grows squared


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for address in emails.addresses_in(text):
        assert address.count("@") == 1
    for number in (*phones.numbers_in(text), phones.number_of_tel(text), phones.number_as_given(text)):
        assert number is None or 5 <= len(phones.digits_of(number)) <= 15
    social.profile(text)
    emails.address_of_cfemail(text)
