"""What pages are called, in the languages of the web: in menus and in paths."""
# ruff: noqa: RUF001  these are letters of other languages

import pytest

from scrapersky.scraping.page_choice import PLAIN_SCORE, Kind, kind_of_path, kind_of_text

CALLED = {
    "contact": (
        "Contact us", "Kontakt", "Kontaktformular", "Nous contacter", "Contáctenos", "Contatti", "Neem contact op",
        "Fale conosco", "KONTAKT", "Kontakta oss", "Ta kontakt", "Ota yhteyttä", "Yhteystiedot", "Kontakty",
        "Kapcsolat", "Contactează-ne", "İletişim", "ILETISIM", "Επικοινωνία", "Контакты", "Зворотний зв'язок",
        "צור קשר", "اتصل بنا", "Hubungi kami", "Liên hệ", "お問い合わせ", "联系我们", "聯絡我們", "연락처", "ติดต่อเรา",
        "Kontakt & Anfahrt", "Hafðu samband", "Contact + route",
    ),
    "imprint": (
        "Impressum", "Imprint", "Legal notice", "Mentions légales", "Aviso legal", "Note legali", "Colofon",
        "Impresszum", "Künye", "Реквизиты", "特定商取引法に基づく表記",
    ),
    "about": (
        "About us", "Über uns", "Wir über uns", "Qui sommes-nous ?", "Quiénes somos", "Chi siamo", "Over ons",
        "Quem somos", "O nas", "Om oss", "Om os", "Tietoa meistä", "O nás", "Rólunk", "Despre noi", "Hakkımızda",
        "Ποιοι είμαστε", "О компании", "Про нас", "אודות", "من نحن", "会社概要", "关于我们", "회사소개",
    ),
    "locations": (
        "Our locations", "Standorte", "Nos agences", "Dove siamo", "Vestigingen", "Oddziały", "Pobočky", "店舗",
    ),
    "team": ("Our team", "Unser Team", "Notre équipe", "Nuestro equipo", "Medarbetare", "Zespół", "Csapatunk", "团队"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CALLED.items() for text in texts])
def test_a_menu_s_word_tells_the_kind_of_page(kind: str, text: str) -> None:
    found = kind_of_text(text)
    assert found is not None
    assert found.name == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/contact", "contact"),
        ("/kontakt.html", "contact"),
        ("/en/Contact_Us.aspx", "contact"),
        ("/ContactUs", "contact"),
        ("/ueber-uns/", "about"),
        ("/%C3%BCber-uns", "about"),
        ("/UEBERUNS", "about"),
        ("/%D0%BA%D0%BE%D0%BD%D1%82%D0%B0%D0%BA%D1%82%D1%8B/", "contact"),
        ("/mentions-legales", "imprint"),
        ("/unternehmen/impressum", "imprint"),
        ("/%E4%BC%9A%E7%A4%BE%E6%A6%82%E8%A6%81", "about"),
        ("/iletisim", "contact"),
        ("/about/history", "about"),
        ("/datenschutzerklaerung", "privacy"),
        ("/wp-login.php", "skip"),
        ("/account/login", "skip"),
        ("/warenkorb", "skip"),
        ("/products/shoes", None),
        ("/blog/2024/05/contact-lenses-and-all-that-you-should-know-of-them", None),
        ("/", None),
        ("/commercial-register-extracts", None),
    ],
)
def test_a_path_tells_the_kind_of_page(path: str, kind: str | None) -> None:
    found = kind_of_path(path.strip("/").split("/"))
    assert (found.name if found else None) == kind


def test_the_less_of_a_text_the_word_is_the_less_it_is_about_it() -> None:
    whole, half = kind_of_text("Contact"), kind_of_text("Contact lenses")
    assert whole == Kind("contact", 100.0)
    assert half is not None
    assert PLAIN_SCORE < half.score < whole.score


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "News",
        "Contactless payments",
        "What the new rules on contact tracing in hospitals mean for a small practice",
        "コンタクトレンズ専門店の春のご案内と新商品のお知らせ",
        "🙂",
    ],
)
def test_what_only_holds_such_a_word_or_none_tells_nothing(text: str | None) -> None:
    assert kind_of_text(text) is None


def test_a_page_below_another_is_worth_less_than_that() -> None:
    above, below = kind_of_path(["about"]), kind_of_path(["about", "history"])
    assert above is not None
    assert below is not None
    assert PLAIN_SCORE < below.score < above.score
