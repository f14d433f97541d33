"""What pages show of a site's contacts, and what of it is the site's, each with its best evidence."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.facts import Evidence
from scrapersky.scraping import contacts, emails, phones, regions, social
from scrapersky.scraping.contacts import MAX_EMAILS, MAX_PHONES, Contacts
from scrapersky.scraping.page import parse_page

PAGES = Path(__file__).parent.parent / "data" / "pages"
URL = "https://shop.example/"


def page(markup: str, url: str = URL) -> contacts.PageContacts:
    return contacts.read(parse_page(markup.encode(), url, {"content-type": "text/html; charset=utf-8"}))


def site(*markups: str, domain: str = "shop.example", countries: tuple[str, ...] = ()) -> Contacts:
    read = [page(markup, f"https://{domain}/{number or ''}") for number, markup in enumerate(markups)]
    return contacts.resolve(read, domain=domain, languages=[], countries=countries)


def cfemail(address: str, key: int) -> str:
    """The token that Cloudflare makes of an address."""
    return bytes([key, *(byte ^ key for byte in address.encode())]).hex()


def methods(found: dict[str, Evidence]) -> dict[str, str]:
    return {value: seen.method for value, seen in found.items()}


def test_german_imprint() -> None:
    url = "https://www.zimmerei-hoelzl.de/impressum"
    read = page((PAGES / "imprint_de.html").read_text(encoding="utf-8"), url)
    found = contacts.resolve([read], domain="zimmerei-hoelzl.de", languages=[], countries=[])
    text = Evidence(url, "text")
    assert found.emails == {"buero@zimmerei-hoelzl.de": text, "datenschutz@zimmerei-hoelzl.de": text}
    assert found.phones == {"+49864212340": text, "+491711234567": text}
    assert found.social == {
        "facebook": "https://www.facebook.com/zimmerei.hoelzl",
        "instagram": "https://www.instagram.com/zimmerei_hoelzl",
    }
    assert set(found.social_evidence.values()) == {Evidence(url, "link")}


def test_the_most_telling_source_is_the_evidence() -> None:
    found = site((PAGES / "wordpress.html").read_text(encoding="utf-8"), domain="fen-field.example")
    assert methods(found.emails) == {"hello@fen-field.example": "mailto", "orders@fen-field.example": "json-ld"}
    assert methods(found.phones) == {"+441632960123": "tel", "+441632960199": "json-ld"}
    assert found.social == {
        "linkedin": "https://www.linkedin.com/company/fen-field",
        "instagram": "https://www.instagram.com/fenfield",
    }
    assert {seen.method for seen in found.social_evidence.values()} == {"json-ld"}


def test_a_later_page_s_better_evidence_counts() -> None:
    found = site(
        "<p>info@shop.example Tel. +49 30 1234567", "<a href='mailto:info@shop.example'><a href='tel:+49301234567'>"
    )
    assert set(found.emails.values()) == {Evidence("https://shop.example/1", "mailto")}
    assert set(found.phones.values()) == {Evidence("https://shop.example/1", "tel")}


def test_cloudflare_s_tokens_are_read() -> None:
    markup = (PAGES / "cloudflare.html").read_text(encoding="utf-8")
    markup = markup.replace("TOKEN_A", cfemail("front.desk@cedar.example", 0x7B))
    markup = markup.replace("TOKEN_B", cfemail("billing@cedar.example", 0x04))
    found = site(markup, domain="cedar.example")
    assert methods(found.emails) == {"front.desk@cedar.example": "cfemail", "billing@cedar.example": "cfemail"}


def test_one_number_in_two_spellings_is_one() -> None:
    found = site('<a href="tel:0301234567">call</a> Tel. 030 / 123 45 67', domain="firma.de")
    assert methods(found.phones) == {"+49301234567": "tel"}


def test_a_number_of_no_country_is_no_fact() -> None:
    assert site("<p>Tel. 030 1234567").phones == {}
    assert list(site("<p>Tel. 030 1234567", countries=("Germany",)).phones) == ["+49301234567"]


@pytest.mark.parametrize(
    ("markup", "number"),
    [
        ("<html lang=de-AT><p>Tel. 0316 555012", "+43316555012"),
        ("<p>Tel. 030 1234567 or +49 89 1234567", "+49301234567"),
        ("<p>Leeds LS9 0ZZ<br>Tel. 0113 496 0145", "+441134960145"),
        ("<meta name=geo.region content=CH-ZH><p>Tel. 044 555 01 90", "+41445550190"),
        (
            '<script type="application/ld+json">{"@type":"Store","address":{"addressCountry":"NL"}}</script>'
            "<p>Tel. 020 555 01 23",
            "+31205550123",
        ),
        (
            "<div itemprop=address><span itemprop=addressCountry>France</span></div><p>Tél. 01 99 00 12 34",
            "+33199001234",
        ),
        ("<html lang=ja><p>電話 03-5555-0123", "+81355550123"),
        ("<html lang=en-US><p>(206) 555-0142", "+12065550142"),
        ("<p>(206) 555-0142", "+12065550142"),
        ("<html lang=en><p>Call 0113 496 0145", "+441134960145"),
        ("<html lang=en><p>Call (02) 5550 1234", "+61255501234"),
        (
            "<html lang=en><header>Call 01632 960177</header>" + "<p>text</p>" * 99 + "Leeds LS9 0ZZ, 01632 960177",
            "+441632960177",
        ),
    ],
)
def test_where_a_national_number_s_country_comes_from(markup: str, number: str) -> None:
    assert number in site(markup).phones


SWISS = "<p>Zentrale: Tel. +41 44 668 18 00"


@pytest.mark.parametrize(
    ("markup", "number"),
    [
        ("<p>お問い合わせ 電話 03-3224-5000", "+81332245000"),
        ("<p>お問い合わせ <a href='tel:03-3224-5000'>電話</a>", "+81332245000"),
        ("<html lang=en><p>東京都千代田区 でんわ 電話 03-3224-5000", "+81332245000"),
        ("<html lang=ja><p>電話 03-3224-5000", "+81332245000"),
        ("<p>서울특별시 전화 02-312-3456", "+8223123456"),
        # A word of another script on a page of the site's own, and an address that says more.
        ("<p>Deutsch, 한국어, にほんご. Rufen Sie uns an: Tel. 044 668 18 01", "+41446681801"),
        ("<p>Tel. 044 668 18 01", "+41446681801"),
    ],
)
def test_a_page_s_own_script_says_more_than_the_country_of_other_numbers(markup: str, number: str) -> None:
    assert list(site(SWISS, markup).phones) in (["+41446681800", number], [number, "+41446681800"])
    assert list(site(SWISS, markup, "<p>Tel. 044 668 18 02").phones)[-1] == "+41446681802"


@pytest.mark.parametrize(
    ("text", "language", "country"),
    [
        ("中文网站 电话", None, None),
        ("中文网站中文网站中文网站 の", None, None),
        ("Deutsch 한국어", "de", None),
        ("Tel", "ja-JP", "JP"),
        ("Tel", "ko_KR", "KR"),
        ("Größe", None, None),
        ("\u30fb 12", None, None),
        ("ー 12", None, "JP"),
        ("", None, None),
    ],
)
def test_country_of_a_script(text: str, language: str | None, country: str | None) -> None:
    assert regions.country_of_script(text, language) == country


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ("<header>501 555 012</header>", []),  # may be an amount
        ("<header>501 555 012</header><p>biuro@firma.pl", ["+48501555012"]),
        ("<header>501-555-012</header>", ["+48501555012"]),
        ("<header>12 555 01 23</header>", ["+48125550123"]),
        ("<p>Only 12 555 01 23 pieces were made", []),
        ("<p>Kom. 501 555 012", ["+48501555012"]),
        ("<p>Reference +48 501 555 012", ["+48501555012"]),
    ],
)
def test_a_number_without_label_needs_its_place(markup: str, found: list[str]) -> None:
    assert list(site(markup, domain="firma.pl").phones) == found


def test_a_fax_machine_is_no_phone_though_a_link_calls_it() -> None:
    fax = '<p>Fax: <a href="tel:+49301234568">030 1234568</a>'
    assert site(fax, domain="firma.de").phones == {}
    assert list(site(fax, "<p>Tel. 030 1234568", domain="firma.de").phones) == ["+49301234568"]
    assert list(site('<p>Tel. 1 <p><a href="tel:+49301234568">030 1234568</a>', domain="firma.de").phones)


@pytest.mark.parametrize(
    ("markup", "method"),
    [
        ("<a href='callto:+49301234567'>", "tel"),
        ("<a href='sms:+49301234567?body=Hi'>", "tel"),
        ("<a href='https://wa.me/49301234567'>", "whatsapp"),
        ("<a href='https://api.whatsapp.com/send?phone=49301234567'>", "whatsapp"),
        ("<a href='whatsapp://send?phone=49301234567'>", "whatsapp"),
        ("<div itemscope><span itemprop=telephone>+49 30 1234567</span></div>", "microdata"),
        ("<a href='#' aria-label='Call +49 30 1234567'><svg></svg></a>", "text"),
        ("<p>+49 30 <b>123</b>&nbsp;45&#8209;67</p>", "text"),
    ],
)
def test_how_a_number_was_seen(markup: str, method: str) -> None:
    assert methods(site(markup).phones) == {"+49301234567": method}


@pytest.mark.parametrize(
    "href", ["mailto:info@firma.de", "MAILTO:%20Info@firma.de", "mailto://info@firma.de", "info@firma.de"]
)
def test_links_to_write_to(href: str) -> None:
    assert methods(site(f"<a href='{href}'>write</a>").emails) == {"info@firma.de": "mailto"}


@pytest.mark.parametrize(
    "href", ["/@info@firma.de", "https://info@firma.de/", "//info@firma.de", "javascript:info@firma.de"]
)
def test_links_with_an_at_to_read(href: str) -> None:
    assert site(f"<a href='{href}'>read</a>").emails == {}


def test_who_made_the_site_comes_last_and_is_told() -> None:
    maker = "<p>Webdesign: <a href='mailto:hi@pixel.agency'>Pixel</a></p>"
    found = site(maker + "<p>no-reply@shop.example info@shop.example anna.roe@shop.example</p>")
    assert found.email_classes == {
        "info@shop.example": "role",
        "anna.roe@shop.example": "person",
        "no-reply@shop.example": "no_reply",
        "hi@pixel.agency": "vendor",
    }
    assert list(found.emails) == list(found.email_classes)


def test_placeholders_are_left_out() -> None:
    assert site("<p>you@example.com max.mustermann@web.de info@shop.example").emails.keys() == {"info@shop.example"}


def test_card_tags_declare_profiles() -> None:
    found = site(
        '<meta name="twitter:site" content="@acme"><meta property="article:publisher" content="https://facebook.com/acme">'
    )
    assert found.social == {"twitter": "https://x.com/acme", "facebook": "https://www.facebook.com/acme"}
    assert {seen.method for seen in found.social_evidence.values()} == {"meta"}


def test_a_directory_s_contacts_are_capped() -> None:
    listed = site(" ".join(f"a{i}@firma.de" for i in range(150)), " ".join(f"b{i}@firma.de" for i in range(150)))
    assert len(listed.emails) == MAX_EMAILS
    many = "".join(f"<p>Tel. 030 12345{i}" for i in range(100, 300))
    assert len(site(many, many.replace("030", "040"), domain="firma.de").phones) == MAX_PHONES


HOSTILE = (
    *("a@", "@a.", "a.", "(at)", "[at] ", "a(a)", "a at b dot ", "info @ ", "+1 ", "0123456789", "( ", "(0", "tel: "),
    *(
        "a@a.a.",
        "-/ ",
        "a.b@c.de ",
        "Tel. 030 1234567, ",
        "SW1A 1AA 020 7946 0123 ",
        "8 ",
        "800-A",
        "\u200b1",
        "\uff101",
    ),
    *("+49 30 1234567 ", "//", "\x00", "\ud800", "UK ", "fax "),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear_in_the_text(piece: str) -> None:
    spent = []
    for chars in (1 << 16, 1 << 17):
        text = (piece * (chars // len(piece) + 1))[:chars]
        begun = time.process_time()
        for _ in emails.addresses_in(text):
            pass
        for _ in phones.numbers_in(phones.readable(text)):
            pass
        social.profile("//" + text)
        social.profile("https://www.facebook.com/" + text)
        phones.number_of_link(text)
        spent.append(time.process_time() - begun)
    # Twice the text may take 2.5 times as long, and what a busy machine adds; a square would take seconds.
    assert spent[1] < max(2.5 * spent[0], 0.5)


@given(st.text(max_size=300))
def test_any_page_is_read(text: str) -> None:
    markup = f"<html lang='{text}'><a href='{text}'>{text}</a><a href='tel:{text}'><a href='mailto:{text}'>{text}"
    read = contacts.read(parse_page(markup.encode("utf-8", "surrogatepass"), URL, {}))
    found = contacts.resolve([read], domain=text, languages=[text], countries=[text])
    assert found.emails.keys() == found.email_classes.keys()
    assert found.social_evidence.keys() == set(found.social.values())
