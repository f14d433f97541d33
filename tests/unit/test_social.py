"""Links to profiles: one spelling for each, what is no profile, and which one is the site's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.facts import SOCIAL_NETWORKS
from scrapersky.scraping import social
from scrapersky.scraping.networks import PROFILES
from scrapersky.scraping.social import Profile


@pytest.mark.parametrize(
    ("href", "profile"),
    [
        ("http://facebook.com/acme/", ("facebook", "https://www.facebook.com/acme")),
        ("https://m.facebook.com/profile.php?id=123&x=y", ("facebook", "https://www.facebook.com/profile.php?id=123")),
        ("https://de-de.facebook.com/pages/Acme/12?ref=x", ("facebook", "https://www.facebook.com/pages/Acme/12")),
        ("//x.com/acme?lang=en", ("twitter", "https://x.com/acme")),
        ("https://mobile.twitter.com/@acme", ("twitter", "https://twitter.com/acme")),
        (
            "http://www.linkedin.com/company/a.-birch-&-sons",
            ("linkedin", "https://www.linkedin.com/company/a.-birch-&-sons"),
        ),
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
        ("https://www.facebook.com/AcmeGmbH/about", ("facebook", "https://www.facebook.com/acmegmbh")),
        ("https://www.facebook.com/pg/acme/posts", ("facebook", "https://www.facebook.com/acme")),
        ("https://l.facebook.com/l.php?u=https%3A%2F%2Fx.com%2Facme", ("twitter", "https://x.com/acme")),
        ("https://www.pinterest.co.uk/acme/_created/", ("pinterest", "https://www.pinterest.com/acme")),
        ("https://www.xing.com/pages/acme", ("xing", "https://www.xing.com/pages/acme")),
        ("https://www.threads.net/@acme?hl=de", ("threads", "https://www.threads.net/@acme")),
        ("https://bsky.app/profile/acme.bsky.social", ("bluesky", "https://bsky.app/profile/acme.bsky.social")),
        ("https://mastodon.social/@Acme", ("mastodon", "https://mastodon.social/@acme")),
        ("https://wa.me/+491711234567?text=Hi", ("whatsapp", "https://wa.me/491711234567")),
        ("https://api.whatsapp.com/send/?phone=491711234567&text=Hi", ("whatsapp", "https://wa.me/491711234567")),
        ("https://t.me/acme_news", ("telegram", "https://t.me/acme_news")),
        ("https://t.me/s/acme_news", ("telegram", "https://t.me/acme_news")),
        ("https://twitter.com/#!/acme", ("twitter", "https://twitter.com/acme")),
        ("https://web.facebook.com/acme?_rdc=1", ("facebook", "https://www.facebook.com/acme")),
        ("https://vimeo.com/acme", ("vimeo", "https://vimeo.com/acme")),
        ("https://www.yelp.de/biz/acme-berlin", ("yelp", "https://www.yelp.com/biz/acme-berlin")),
        ("https://old.reddit.com/r/acme/", ("reddit", "https://www.reddit.com/r/acme")),
        ("https://discord.com/invite/aB3", ("discord", "https://discord.gg/aB3")),
        ("https://www.twitch.tv/acme", ("twitch", "https://www.twitch.tv/acme")),
        ("https://www.snapchat.com/add/acme", ("snapchat", "https://www.snapchat.com/add/acme")),
        ("https://acme.medium.com/", ("medium", "https://acme.medium.com")),
        ("https://vk.com/acme", ("vk", "https://vk.com/acme")),
        ("https://line.me/R/ti/p/@acme", ("line", "https://line.me/R/ti/p/@acme")),
        ("https://soundcloud.com/acme", ("soundcloud", "https://soundcloud.com/acme")),
        ("https://open.spotify.com/intl-de/artist/4aB?si=1", ("spotify", "https://open.spotify.com/artist/4aB")),
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
        "https://github.com/events",
        "https://github.com/acme/library",
        "https://facebook.com.evil.example/acme",
        "https://netflix.com/acme",
        "https://evilfacebook.com/acme",
        "https://[x.com/acme",
        "/facebook.com/acme",
        "https://www.facebook.com/<script>",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fl.facebook.com%2Fl.php%3Fu%3Dx",
        "https://wa.me/?text=https%3A%2F%2Fshop.example",
        "https://api.whatsapp.com/send?text=Look",
        "https://t.me/share/url?url=x",
        "https://t.me/+AbCdEf",
        "https://t.me/s/",
        "https://vimeo.com/123456789",
        "https://player.vimeo.com/acme",
        "https://open.spotify.com/track/4aB",
        "https://www.xing.com/spi/shares/new?url=x",
        "https://bsky.app/intent/compose?text=x",
        "https://firma.de/@acme",
        "https://developers.facebook.com/acme",
        "https://help.instagram.com/acme",
        "https://www.reddit.com/submit?url=x",
        "https://line.me/R/msg/text/?x",
    ],
)
def test_what_is_no_profile(href: str) -> None:
    assert social.profile(href) is None


def test_every_network_of_the_contract_can_be_told() -> None:
    assert tuple(PROFILES) == SOCIAL_NETWORKS


def linked(url: str, *, declared: bool = False, in_frame: bool = False, icon: bool = False) -> Profile:
    found = social.profile(url)
    assert found
    return Profile(*found, declared=declared, in_frame=in_frame, icon=icon)


def chosen(*profiles: Profile, domain: str = "acme.de", names: tuple[str, ...] = ()) -> dict[str, str]:
    return social.choose(profiles, domain=domain, names=names)


OTHER, OWN = "https://x.com/somebody", "https://x.com/acme_gmbh"


def test_what_a_text_mentions_once_is_not_the_site_s() -> None:
    assert chosen(linked(OTHER)) == {}
    assert chosen(linked(OTHER), linked(OTHER)) == {"twitter": OTHER}
    assert chosen(linked(OTHER, icon=True)) == {"twitter": OTHER}
    assert chosen(linked(OTHER, in_frame=True)) == {"twitter": OTHER}


@pytest.mark.parametrize("names", [(), ("Other Name Ltd",)])
def test_a_profile_called_like_the_site_is_the_site_s(names: tuple[str, ...]) -> None:
    assert chosen(linked(OTHER, icon=True), linked(OTHER, icon=True), linked(OWN), names=names) == {"twitter": OWN}


def test_a_profile_called_like_the_company_is_the_site_s() -> None:
    company = linked("https://x.com/wendehorst", icon=True)
    assert chosen(linked(OTHER, icon=True), company, domain="t-w.de", names=("Wendehorst",)) == {"twitter": company.url}


def test_a_declared_profile_precedes_one_in_the_footer() -> None:
    declared = linked("https://x.com/declared", declared=True)
    assert chosen(linked(OTHER, in_frame=True), declared) == {"twitter": declared.url}


def test_a_company_s_page_precedes_a_person_s() -> None:
    boss, company = "https://www.linkedin.com/in/boss", "https://www.linkedin.com/company/x-holding"
    assert chosen(linked(boss, icon=True), linked(boss, icon=True), linked(company, icon=True)) == {"linkedin": company}
    assert chosen(linked(boss, icon=True)) == {"linkedin": boss}
    colleague = linked("https://www.linkedin.com/in/colleague", icon=True)
    assert chosen(linked(boss, icon=True), colleague) == {}


def test_a_template_s_profiles_are_nobody_s_but_its_maker_s() -> None:
    default = linked("https://www.facebook.com/wix", in_frame=True)
    assert chosen(default) == {}
    assert chosen(default, domain="wix.com") == {"facebook": "https://www.facebook.com/wix"}
    assert chosen(linked("https://www.instagram.com/yourusername", in_frame=True)) == {}


def test_the_page_in_facebook_s_plugin() -> None:
    url = "https://www.facebook.com/plugins/page.php?href=https%3A%2F%2Fwww.facebook.com%2Facme%2F&tabs=timeline"
    assert social.profile_of_widget(url) == ("facebook", "https://www.facebook.com/acme")
    assert social.profile_of_widget(url.replace("page.php", "like.php")) is None
    assert social.profile_of_widget("https://www.facebook.com/plugins/page.php") is None


def test_both_names_of_x_are_one() -> None:
    assert chosen(linked("https://twitter.com/acme"), linked("https://x.com/acme")) == {
        "twitter": "https://twitter.com/acme"
    }


@given(st.text(max_size=100))
def test_any_link_is_read(text: str) -> None:
    for href in (
        text,
        f"https://{text}",
        f"https://www.facebook.com/{text}",
        f"//wa.me/{text}",
        f"https://t.me/{text}",
    ):
        found = social.profile(href)
        if found:
            assert social.profile(found[1]) == found
