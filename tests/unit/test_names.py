"""The normaliser of domain names: a table of what it accepts, one of what it refuses, and its properties."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrapersky.domain.names import MAX_INPUT_CHARS, SPECIAL_USE_SUFFIXES, InvalidDomain, domain_key, name_refusal
from scrapersky.scraping.urls import parse_web_url

ACCEPTED = [
    # what was typed, the key
    ("acme.com", "acme.com"),
    ("ACME.Com", "acme.com"),
    ("  acme.com\n", "acme.com"),
    ("\u00a0acme.com\u3000", "acme.com"),
    ("acme.com.", "acme.com"),
    ("acme.com/", "acme.com"),
    ("acme.com/about us?x=1#top", "acme.com"),
    ("acme.com?x=a@b.com", "acme.com"),
    ("acme.com:8080", "acme.com"),
    ("acme.com:443/path", "acme.com"),
    ("http://acme.com", "acme.com"),
    ("HTTPS://ACME.COM:8443/a/b", "acme.com"),
    ("//acme.com/path", "acme.com"),
    ("https:////acme.com", "acme.com"),
    ("http:/acme.com", "acme.com"),
    ("HTTP:acme.com:8080/x", "acme.com"),
    ("https:\\\\acme.com\\x", "acme.com"),
    ("https:\\acme.com", "acme.com"),
    ("http:/\\acme.com", "acme.com"),
    ("acme.com:/x", "acme.com"),
    ("https://acme.com\\@evil.com", "acme.com"),
    ("www.acme.com", "acme.com"),
    ("WWW.ACME.COM.", "acme.com"),
    ("www.shop.acme.com", "shop.acme.com"),
    ("shop.www.acme.com", "shop.www.acme.com"),
    ("www2.acme.com", "www2.acme.com"),
    ("www.www.acme.com", "acme.com"),
    ("www.com", "www.com"),
    ("www.www.com", "www.com"),
    ("www.co.uk", "co.uk"),
    ("münchen.de", "xn--mnchen-3ya.de"),
    ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
    ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
    ("XN--MNCHEN-3YA.DE", "xn--mnchen-3ya.de"),
    ("faß.de", "xn--fa-hia.de"),
    ("www.münchen.de", "xn--mnchen-3ya.de"),
    ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
    ("\uff21\uff23\uff2d\uff25\uff0e\uff43\uff4f\uff4d", "acme.com"),
    ("acme\u00ad.com", "acme.com"),
    ("ac%6De.com", "acme.com"),
    ("1.acme.com", "1.acme.com"),
    ("123.de", "123.de"),
    ("r3---sn-a.acme.com", "r3---sn-a.acme.com"),
    ("shop.example", "shop.example"),
    ("example.com", "example.com"),
    ("example.museum", "example.museum"),
    ("a" * 63 + ".com", "a" * 63 + ".com"),
    (".".join(["a" * 61] * 4) + ".abcde", ".".join(["a" * 61] * 4) + ".abcde"),
]

IP_ADDRESS = "an IP address is no domain name"
CONTROL = "the text holds control characters"
USER = "the text holds user information or is an e-mail address"
SCHEME = "only http and https addresses have a site to scan"
LABEL = "a label is not made of 1 to 63 letters, digits and inner hyphens"
SINGLE = "a single label is no public domain name"
EMPTY_LABEL = "the name has an empty label"
NO_NAME = "the text is no domain name"
NOT_IDNA = "the internationalised name is not valid IDNA"

REFUSED = [
    ("", "no domain was given"),
    (" \t\n", "no domain was given"),
    ("a" * (MAX_INPUT_CHARS + 1), f"the text is longer than {MAX_INPUT_CHARS} characters"),
    ("acme.com/" + "a" * MAX_INPUT_CHARS, f"the text is longer than {MAX_INPUT_CHARS} characters"),
    ("acme", SINGLE),
    ("localhost", SINGLE),
    ("http://acme:8080/", SINGLE),
    ("http:/acme", SINGLE),
    ("http:", NO_NAME),
    ("http:/", NO_NAME),
    (".acme.com", EMPTY_LABEL),
    ("acme..com", EMPTY_LABEL),
    ("acme.com..", EMPTY_LABEL),
    (".", EMPTY_LABEL),
    ("-acme.com", LABEL),
    ("acme-.com", LABEL),
    ("ac_me.com", LABEL),
    ("*.acme.com", LABEL),
    ("a" * 64 + ".com", LABEL),
    (".".join(["a" * 61] * 4) + ".abcdef", "the name is longer than 253 characters"),
    ("ac me.com", NO_NAME),
    ("acme.com,other.com", LABEL),
    ("acme.com:port", NO_NAME),
    ("acme.com:99999", NO_NAME),
    ("<script>.com", NO_NAME),
    ("ac%2fme.com", NO_NAME),
    ("ac%00me.com", NO_NAME),
    ("https://", NO_NAME),
    ("https:///", NO_NAME),
    ("acme.123", NO_NAME),
    ("xn--a.com", NOT_IDNA),
    ("xn--99999999.com", NOT_IDNA),
    ("xn--mnchen-3ya.xn--zn7c", NOT_IDNA),
    # user information and other schemes
    ("info@acme.com", USER),
    ("https://user:secret@acme.com/", USER),
    ("https://@acme.com/", USER),
    ("https:////@acme.com/", USER),
    ("http:info@acme.com", USER),
    ("https:\\info@acme.com", USER),
    ("mailto:info@acme.com", USER),
    ("ftp://acme.com", SCHEME),
    ("file:///etc/passwd", SCHEME),
    ("gopher://acme.com/", SCHEME),
    ("ftp:/acme.com", SCHEME),
    ("ftp:\\\\acme.com", SCHEME),
    ("file:/etc/passwd", SCHEME),
    ("javascript:alert(1)", NO_NAME),
    ("data:text/html,x", NO_NAME),
    # control characters: the URL standard would drop the tab and join the lines
    ("acme.com\n.evil.com", CONTROL),
    ("ac\tme.com", CONTROL),
    ("acme.com\x00", CONTROL),
    ("acme.com/\x7f", CONTROL),
    ("acme.com/\x85x", CONTROL),
    ("acme.com\ud800", CONTROL),
    ("acme\u2028.com", CONTROL),
    # IP addresses in every spelling
    ("127.0.0.1", IP_ADDRESS),
    ("8.8.8.8", IP_ADDRESS),
    ("127.0.0.1.", IP_ADDRESS),
    ("127.1", IP_ADDRESS),
    ("127.0.1", IP_ADDRESS),
    ("2130706433", IP_ADDRESS),
    ("0x7f000001", IP_ADDRESS),
    ("0x7f.0.0.1", IP_ADDRESS),
    ("0X7F.1", IP_ADDRESS),
    ("0177.0.0.1", IP_ADDRESS),
    ("017700000001", IP_ADDRESS),
    ("127.0x0.0.01", IP_ADDRESS),
    ("\uff11\uff12\uff17.\uff10.\uff10.\uff11", IP_ADDRESS),
    ("①②⑦.0.0.1", IP_ADDRESS),
    ("127。0。0。1", IP_ADDRESS),
    ("%31%32%37.0.0.1", IP_ADDRESS),
    ("0", IP_ADDRESS),
    ("http://169.254.169.254/latest/meta-data", IP_ADDRESS),
    ("127.0.0.1:80", IP_ADDRESS),
    ("http:/127.0.0.1", IP_ADDRESS),
    ("http:8080", IP_ADDRESS),
    ("256.256.256.256", NO_NAME),
    ("1.2.3.4.5", NO_NAME),
    ("acme.0x7f", NO_NAME),
    ("::1", IP_ADDRESS),
    ("[::1]", IP_ADDRESS),
    ("[::1]:443", IP_ADDRESS),
    ("http://[::ffff:127.0.0.1]/", IP_ADDRESS),
    ("2001:db8::1", IP_ADDRESS),
    ("http://[fe80::1%25eth0]/", NO_NAME),
    # names outside the public DNS
    ("printer.local", ".local names are not in the public DNS"),
    ("LOCALHOST.localdomain", ".localdomain names are not in the public DNS"),
    ("app.localhost", ".localhost names are not in the public DNS"),
    ("metadata.google.internal", ".internal names are not in the public DNS"),
    ("metadata.google.internal.", ".internal names are not in the public DNS"),
    ("facebookwkhpilnemxj7asaniu7vnjjbiltxjqhye3mhbshg7kx5tfyd.onion", ".onion names are not in the public DNS"),
    ("router.home.arpa", ".arpa names are not in the public DNS"),
    ("1.0.0.127.in-addr.arpa", ".arpa names are not in the public DNS"),
    ("x.alt", ".alt names are not in the public DNS"),
    ("x.test", ".test names are not in the public DNS"),
    ("www.x.invalid", ".invalid names are not in the public DNS"),
    ("nas.lan", ".lan names are not in the public DNS"),
    ("www.local", ".local names are not in the public DNS"),
]


@pytest.mark.parametrize(("text", "key"), ACCEPTED)
def test_names_become_their_key(text: str, key: str) -> None:
    assert domain_key(text) == key


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[repr(text)[:40] for text, _ in REFUSED])
def test_what_is_no_public_name_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidDomain) as refused:
        domain_key(text)
    assert refused.value.reason == reason
    assert str(refused.value) == reason


@pytest.mark.parametrize("suffix", sorted(SPECIAL_USE_SUFFIXES))
def test_no_special_use_name_may_even_be_looked_up(suffix: str) -> None:
    assert name_refusal(f"host.{suffix}")
    assert name_refusal(f"host.{suffix}.")
    assert name_refusal(suffix)
    assert name_refusal(f"{suffix}.com") is None


HOST_LIKE = st.lists(
    st.sampled_from(["www", "a", "acme", "example", "com", "de", "xn--mnchen-3ya", "1", "0x7f", "münchen", "", "-"]),
    max_size=6,
).map(".".join)
DECORATED = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        ["", "http://", "HTTPS://", "//", " ", "https:///", "http:/", "https:", "https:\\\\", "ftp://", "@"]
    ),
    HOST_LIKE,
    st.sampled_from(["", ".", "/", ":80", "/a b", "?@", "#", "\\x", "\t"]),
)


@given(st.one_of(st.text(), st.text(alphabet=st.characters(codec=None)), HOST_LIKE, DECORATED))
@example("http://\ud800.com")
@example("www.www.acme.com")
@example("\x00")
def test_any_text_is_a_fixed_point_of_ascii_or_refused(text: str) -> None:
    try:
        key = domain_key(text)
    except InvalidDomain:
        return
    assert key.isascii()
    assert key == key.lower()
    assert domain_key(key) == key
    assert domain_key(f"https://www.{key}:8443/path?x#y") == domain_key(f"www.{key}")
    assert parse_web_url(f"https://{key}/").host == key  # what is fetched is what was checked
    assert name_refusal(key) is None
