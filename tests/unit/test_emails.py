"""E-mail addresses in text, links and tokens; what only looks like one; and whose an address is."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping import emails
from scrapersky.scraping.email_classes import class_of, is_placeholder, names_maker, owner_name


def cfemail(address: str, key: int) -> str:
    """The token that Cloudflare makes of an address."""
    return bytes([key, *(byte ^ key for byte in address.encode())]).hex()


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
        ("info[at]firma[punkt]de, b {at} firma {dot} de, c&lt;at&gt;", ["info@firma.de", "b@firma.de"]),
        ("contact(a)firma.fr and contact [arobase] firma [point] fr", ["contact@firma.fr", "contact@firma.fr"]),
        ("see (a) firma.fr", []),
        ("info at firma dot co dot uk, INFO AT FIRMA DOT DE", ["info@firma.co.uk", "info@firma.de"]),
        ("we meet at noon dot", []),
        ("info_at_firma.de", ["info@firma.de"]),
        ("info @ firma.de but follow Jane @ firma.de", ["info@firma.de"]),
        ("in\u200bfo@fir\u00adma.de", ["info@firma.de"]),
        ("info\uff20firma.jp", ["info@firma.jp"]),
        ("info@firma.deTelefon 030", ["info@firma.de"]),
        ("info@nospam.firma.de a.nospam@firma.de", ["info@nospam.firma.de", "a@firma.de"]),
        ("info@firma.nosuchending, a@b.zip, a@firma.invalid", ["a@firma.invalid"]),
        ("git@github.com:acme/repo.git but write to git@firma.de: now", ["git@firma.de"]),
        ("https://user:word@firma.de/ ftp://me:pw@firma.de", []),
        ("@user@mastodon.social 0123456789abcdef0123456789abcdef@sentry.firma.de", []),
        ("-info@firma.de-, --@firma.de", ["info@firma.de"]),
        ("• info@firma.de, 'post@firma.de'", ["info@firma.de", "post@firma.de"]),
    ],
)
def test_addresses_in_text(text: str, found: list[str]) -> None:
    assert list(emails.addresses_in(text)) == found


@pytest.mark.parametrize(
    "name",
    [
        "müller",
        "jose.garcía",
        "łukasz",
        "\u0438van",
        "иван",
        "grün",
        "mu\u0308ller",
        "m\ufffdller",
        "é-info",
        "ü.info",
        "\u03bd\u03afkos",
    ],
)
def test_the_tail_of_a_name_that_is_not_all_ascii_is_no_address(name: str) -> None:
    address = f"{name}@firma.de"
    assert list(emails.addresses_in(f"Mail: {address}, b@firma.de")) == ["b@firma.de"]
    assert list(emails.addresses_in(address.replace("@", " (at) "))) == []
    assert list(emails.addresses_of_mailto(address)) == []
    assert list(emails.addresses_of_mailto(quote(address))) == []
    assert emails.address_of_cfemail(cfemail(address, 0x7B)) is None


def test_an_escape_that_is_not_utf_8_or_not_decoded_is_no_part_of_a_name() -> None:
    assert list(emails.addresses_of_mailto("m%FCller@firma.de")) == []
    assert list(emails.addresses_in("m%C3%BCller@firma.de %20info@firma.de 100%info@firma.de")) == ["info@firma.de"]


@pytest.mark.parametrize(
    "before",
    [
        "メール",
        "メール:",
        "ﾒｰﾙ",
        "邮箱",
        "信箱\uff1a",
        "อีเมล",
        "ที่",
        "이메일은",
        "ל",
        "ל-",
        "إلى",
        "\u2709\ufe0f",
        "“",
        "…",
        "\xd7",
        "·",
        "\u055d",
        "\u0589",
    ],
)
def test_an_ascii_address_ends_where_a_script_without_blanks_does(before: str) -> None:
    assert list(emails.addresses_in(f"{before}info@firma.jp")) == ["info@firma.jp"]


def test_recipients_of_a_mailto_link_but_not_its_other_fields() -> None:
    assert list(emails.addresses_of_mailto("a%40firma.de,b@firma.de?cc=c@firma.de")) == ["a@firma.de", "b@firma.de"]
    assert list(emails.addresses_of_mailto("?subject=Look&body=me@firma.de")) == []
    assert list(emails.addresses_of_mailto("?to=a%40firma.de&bcc=b@firma.de")) == ["a@firma.de"]
    assert list(emails.addresses_of_mailto("Jane%20Doe%20%3Cjane@firma.de%3E;%20b@firma.de")) == [
        "jane@firma.de",
        "b@firma.de",
    ]


def test_joomla_s_cloaked_addresses_are_read() -> None:
    script = (
        "var prefix = '&#109;a' + 'i&#108;' + '&#116;o'; var path = 'hr' + 'ef' + '=';"
        "var addy1f = '&#105;nf&#111;' + '&#64;'; addy1f = addy1f + 'f&#105;rm&#97;' + '&#46;' + 'd&#101;';"
        "var addy_text1f = '&#105;nf&#111;' + '&#64;' + 'f&#105;rm&#97;' + '&#46;' + 'd&#101;';"
        "var addy77 = 'b&#64;' + 'firma.de'; var addy78 = 'no address';"
    )
    assert list(emails.addresses_of_joomla(script)) == ["info@firma.de", "b@firma.de"]
    assert list(emails.addresses_of_joomla("var mail = 'a' + '@firma.de';")) == []


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("""document.write('<a href="mailto:info@firma.de?subject=a@b.de">Write</a>');""", ["info@firma.de"]),
        ("""document.write("<a href='mai" + "lto:" + 'info' +\n '@firma.de' + "'>x</a>")""", ["info@firma.de"]),
        (r"""document.writeln ; document.writeln("<a href=\"mailto:info\x40firma.de\">");""", ["info@firma.de"]),
        ("""document.write('<a href="&#109;ailto:info&#64;firma.de">')""", ["info@firma.de"]),
        ("""document.write('<a href="mailto:' + name + '@firma.de">')""", []),
        ("""document.write('<a href="mailto:info@' + host + 'firma.de">')""", []),
        ("""document.write('user info@firma.de')""", []),
        ("""var link = '<a href="mailto:info@firma.de">';""", []),
        ("document.write('", []),
    ],
)
def test_mail_links_that_a_script_writes(script: str, found: list[str]) -> None:
    assert list(emails.addresses_of_written(script)) == found


@pytest.mark.parametrize("offset", [-3, 1, 2, 5])
def test_typo3_s_shifted_addresses_are_read(offset: int) -> None:
    shifted = "".join(emails._shifted(character, offset) for character in "mailto:info@firma-9.de")
    assert emails.address_of_typo3(f"javascript:linkTo_UnCryptMailto('{shifted}');") == "info@firma-9.de"


@pytest.mark.parametrize(
    "target",
    ["javascript:void(0)", "javascript:linkTo_UnCryptMailto('');", "linkTo_UnCryptMailto(%27abcdefghijklmnop%27)"],
)
def test_what_no_typo3_link_is(target: str) -> None:
    assert emails.address_of_typo3(target) is None


def test_endings_are_those_of_the_root_zone() -> None:
    assert {"de", "com", "xn--p1ai", "berlin", "example"} <= emails.endings()
    assert not {"png", "js", "css", "html", "local", ""} & emails.endings()


@pytest.mark.parametrize(
    "address",
    [
        "name@firma.de",
        "you@shop.example",
        "a@example.com",
        "a@mail.example.org",
        "a@domain.com",
        "a@x.test",
        "etunimi.sukunimi@firma.fi",
    ],
)
def test_placeholders(address: str) -> None:
    assert is_placeholder(address, "https://www.firma.de/")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("info@shop.example", "https://shop.example/"),
        ("info@example.com", "https://example.com/"),
        ("info@acme.com", "https://www.acme.com/"),
        ("info@firma.de", "https://[broken"),
    ],
)
def test_a_site_s_own_name_is_no_placeholder(address: str, url: str) -> None:
    assert not is_placeholder(address, url)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("info@firma.de", "role"),
        ("kontakt-berlin@firma.de", "role"),
        ("info2@firma.de", "role"),
        ("team.sales@firma.de", "role"),
        ("biuro@firma.pl", "role"),
        ("jane.doe-smith@firma.de", "person"),
        ("j.smith@gmail.com", "person"),
        ("no-reply@firma.de", "no_reply"),
        ("noreply+orders@firma.de", "no_reply"),
        ("ne-pas-repondre@firma.fr", "no_reply"),
        ("support@wix.com", "vendor"),
        ("mueller@firma.de", "other"),
        ("firma@gmail.com", "other"),
    ],
)
def test_class_of_an_address(address: str, kind: str) -> None:
    assert class_of(address, "firma.de", made_by=False) == kind


def test_who_made_the_site_is_a_vendor_unless_it_is_the_site_itself() -> None:
    assert class_of("hello@pixel.agency", "firma.de", made_by=True) == "vendor"
    assert class_of("info@firma.de", "firma.de", made_by=True) == "role"
    assert class_of("pixelpeter@gmail.com", "firma.de", made_by=True) == "other"
    assert class_of("support@wix.com", "wix.com", made_by=False) == "role"


@pytest.mark.parametrize("text", ["Webdesign: ", "Website by Pixel - ", "Site réalisé par ", "Umsetzung durch Pixel, "])
def test_words_before_who_made_a_site(text: str) -> None:
    assert names_maker(text)


@pytest.mark.parametrize("text", ["", "E-Mail: ", "Webdesign by Pixel\nKontakt: "])
def test_words_that_name_nobody(text: str) -> None:
    assert not names_maker(text)


@pytest.mark.parametrize(
    ("host", "name"),
    [("www.firma.de", "firma"), ("mail.firma.co.uk", "firma"), ("firma", "firma"), ("a.b.firma.com", "firma")],
)
def test_owner_name(host: str, name: str) -> None:
    assert owner_name(host) == name


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for address in (*emails.addresses_in(text), *emails.addresses_of_mailto(text)):
        assert address.count("@") == 1
    emails.address_of_cfemail(text)
    list(emails.addresses_of_joomla(f"var addy = '{text}';"))
    list(emails.addresses_of_written(f"document.write('mailto:{text}')"))
    emails.address_of_typo3("linkTo_UnCryptMailto('" + text)
    is_placeholder(f"a@{text}", f"https://{text}/")
    class_of(f"{text}@firma.de", text, made_by=True)
