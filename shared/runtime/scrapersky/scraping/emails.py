"""E-mail addresses in text, links and Cloudflare's tokens. Linear in the text: a window around each `@`."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

# RFC 5321, 4.5.3.1: the longest local part and domain.
_LOCAL_CHARS = 64
_DOMAIN_CHARS = 255

_LOCAL = re.compile(r"[A-Za-z0-9._+'-]+\Z")
# Latin letters beyond ASCII occur in domain names as people write them (RFC 5890, U-label); a name's end is ASCII.
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9\u00c0-\u024f-]{1,63}\.){1,10}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
    r"(?!\.?[A-Za-z0-9_@\u00c0-\u024f])"
)
_VERSION = re.compile(r"v?\d+\.\d")
_WRITTEN_OUT = re.compile(r"[ \t\xa0]?[(\[{][ \t\xa0]?(?:at|@|ät)[ \t\xa0]?[)\]}][ \t\xa0]?", re.IGNORECASE)
_WRITTEN_OUT_SIGNS = ("(at)", "[at]", "{at}", "(AT)", "[AT]", "( at )", "[ at ]", "(ät)", "(@)", "[@]")
_WRITTEN_DOT = re.compile(r"[ \t\xa0]?[(\[{][ \t\xa0]?(?:dot|punkt|\.)[ \t\xa0]?[)\]}][ \t\xa0]?", re.IGNORECASE)

# What follows the last dot in a file name (logo@2x.png, jquery@3.7.min.js), and is no top-level domain.
_FILE_ENDINGS = frozenset(
    {
        *("avif", "bmp", "css", "eot", "gif", "htm", "html", "ico", "jpeg", "jpg", "js", "json", "jsx", "map", "mjs"),
        *("mp4", "otf", "pdf", "php", "png", "scss", "svg", "tif", "tiff", "ts", "tsx", "ttf", "vue", "webm", "webp"),
        *("woff", "woff2", "xml"),
    }
)
# Reserved for documentation and tests (RFC 2606, RFC 6761), and names that templates use instead.
_RESERVED_ENDINGS = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")
_TEMPLATE_DOMAINS = frozenset(
    {
        *("domain.com", "domain.de", "domain.tld", "mydomain.com", "yourdomain.com", "your-domain.com"),
        *("yourcompany.com", "yoursite.com", "mysite.com", "website.com", "beispiel.de", "musterfirma.de"),
        *("sentry.io", "wixpress.com", "sentry-next.wixpress.com"),
    }
)
_TEMPLATE_LOCALS = frozenset(
    {
        *("you", "your", "yourname", "your.name", "your-name", "youremail", "your-email", "your.email", "name"),
        *("username", "firstname.lastname", "first.last", "vorname.nachname", "ihre-email", "ihrname", "ihr.name"),
        *("max.mustermann", "erika.mustermann", "maxmustermann", "mustermann"),
    }
)


def addresses_in(text: str) -> Iterator[str]:
    """Addresses in running text, lower case, in order, with repeats. Also `info (at) name (dot) tld`."""
    # One character is looked for twenty times as fast as four, and most texts have no square or curly bracket at all.
    if any(sign[0] in text and sign in text for sign in _WRITTEN_OUT_SIGNS):
        text = _WRITTEN_DOT.sub(".", _WRITTEN_OUT.sub("@", text))
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - _LOCAL_CHARS), at)
        domain = _DOMAIN.match(text, at + 1, at + 1 + _DOMAIN_CHARS)
        if local and domain and not _is_path(text, local.start()):
            name, host = local[0].strip(".'"), domain[0].lower()
            if name and ".." not in name and not _VERSION.match(host) and host.rpartition(".")[2] not in _FILE_ENDINGS:
                yield f"{name.lower()}@{host}"
        at = text.find("@", at + 1)


def addresses_of_mailto(target: str) -> Iterator[str]:
    """The recipients of a mailto link, `target` being what follows the scheme (RFC 6068)."""
    yield from addresses_in(unquote(target.partition("?")[0]))


def address_of_cfemail(token: str) -> str | None:
    """The address in Cloudflare's token: hex, its first byte XORed onto each of the others; else None."""
    try:
        key, *coded = bytes.fromhex(token.strip())
        text = bytes(byte ^ key for byte in coded).decode("utf-8")
    except ValueError:  # no hex, empty, or no text
        return None
    return next(addresses_in(text), None)


def is_placeholder(address: str, page_url: str) -> bool:
    """Whether an address stands for "yours here": reserved and template names, but for a site that bears them itself.

    The pages of `shop.example` may well write to `info@shop.example`.
    """
    local, _, domain = address.rpartition("@")
    if local in _TEMPLATE_LOCALS or domain in _TEMPLATE_DOMAINS:
        return True
    host = urlsplit(page_url).hostname or ""
    return any(_is_under(domain, name) and not _is_under(host, name) for name in _RESERVED_ENDINGS)


def _is_under(host: str, name: str) -> bool:
    return host == name or host.endswith("." + name)


def _is_path(text: str, start: int) -> bool:
    """Whether the would-be address is part of a URL: `https://user@host`, `/photos/me@site.com`."""
    return start > 0 and text[start - 1] in "/@="
