"""What Schemathesis loads before it fuzzes: keeps the scans and the webhooks that it makes away from real sites."""

from typing import Any

import schemathesis
from ada_url import URL

from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.webhook_urls import InvalidReceiver, receiver_url


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Move every name that is a domain below `.example`, which belongs to nobody (RFC 2606, 3)."""
    body = case.body
    if not isinstance(body, dict):
        return
    if isinstance(body.get("base_url"), str):
        body["base_url"] = _harmless(body["base_url"])
    if isinstance(body.get("url"), str):
        body["url"] = _harmless_url(body["url"])
    if isinstance(body.get("domains"), list):
        body["domains"] = [_harmless(name) if isinstance(name, str) else name for name in body["domains"]]


def _harmless(text: str) -> str:
    try:
        domain = domain_key(text)
    except InvalidDomain:
        return text
    return text if domain.endswith(".example") else f"{domain}.example"


def _harmless_url(text: str) -> str:
    try:
        url = URL(receiver_url(text))
    except InvalidReceiver:
        return text
    if not url.hostname.endswith(".example"):
        url.hostname = f"{url.hostname}.example"
    return url.href
