"""What is read from a request before any route sees it: the caller, a sound body, sound texts.

Everything here fails closed: no tenant in the authorizer's context is a 401, whatever the route would have done.
"""

import base64
import binascii
import hashlib
import json
import re
from typing import Any, NoReturn
from uuid import UUID

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from scrapersky.api.denials import DenialCode
from scrapersky.api.problems import BodyTooLarge, MalformedBody, UnsupportedMediaType, denied
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.loopback import is_loopback
from scrapersky.domain.texts import UNSTORABLE
from scrapersky.errors import FieldError, Invalid

# 10,000 domains of the longest possible name (253) are 2.6 MB of JSON; Lambda itself takes 6 MB, base64 included.
MAX_BODY_BYTES = 3 * 1024 * 1024
# Nothing of the contract is nested deeper than three; what is would only cost stack.
MAX_BODY_DEPTH = 32
# Up to here every reader of JSON has the same number (RFC 8259, 6).
MAX_EXACT = 2**53 - 1
BYTE_ORDER_MARK = "\ufeff"

JSON_ONLY = "Send the body as `Content-Type: application/json`, in UTF-8 and not compressed."

_HOST = re.compile(r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


def caller(event: APIGatewayProxyEventV2) -> Caller:
    """Tenant and user as the authorizer found them.

    Raises:
        Unauthorized: there is no such context, or it holds a denial.
        Unavailable: tokens cannot be checked at the moment.
    """
    context = event.request_context.authorizer.get_lambda
    code = context.get("denied")
    if code is not None:
        raise denied(DenialCode(code) if code in set(DenialCode) else DenialCode.MALFORMED)
    try:
        tenant_id = UUID(context["tenant_id"])
        user_id = context["sub"]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise denied(DenialCode.MISSING) from None
    if not isinstance(user_id, str) or not user_id:
        raise denied(DenialCode.MISSING)
    return Caller(tenant_id, user_id, event.request_context.request_id)


def check(event: APIGatewayProxyEventV2) -> None:
    """Refuse what no route can take: a body of the wrong kind or size, texts that cannot be stored.

    Raises:
        HttpError: 413 or 415.
        Invalid: a path or query text holds U+0000 or half a surrogate pair.
    """
    body = event.body
    if body:
        too_large = BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")
        if len(body) > MAX_BODY_BYTES * 4 // 3 + 4:
            raise too_large
        if not _is_json(event.headers) or event.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType(JSON_ONLY)  # said before the body is read: a compressed one is no UTF-8
        if len(_bytes(event)) > MAX_BODY_BYTES:
            raise too_large
    if UNSTORABLE.search(event.raw_path):
        _refuse_text(("path",))
    for name, value in event.query_string_parameters.items():
        if UNSTORABLE.search(name) or UNSTORABLE.search(value):
            _refuse_text(("query", name))


def normalised(event: APIGatewayProxyEventV2) -> dict[str, Any]:
    """The checked event with the one kind of body there is: the resolver compares its name letter by letter."""
    return {**event.raw_event, "headers": {**event.headers, "content-type": "application/json"}}


def parse_json(text: str) -> Any:
    """A JSON body, held to RFC 8259 and to what Postgres can store.

    Raises:
        MalformedBody: it is not JSON, or JSON that no honest client sends.
        Invalid: it is JSON, but neither an object nor null, or it holds a text that cannot be stored.
    """
    if text.startswith(BYTE_ORDER_MARK):
        raise MalformedBody("The body begins with a byte order mark, which JSON does not have (RFC 8259, 8.1).")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_number, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise MalformedBody(f"The body is not JSON: {error.msg} at character {error.pos}.") from error
    except RecursionError as error:
        raise MalformedBody("The body is nested too deeply.") from error
    except ValueError as error:  # a whole number of more digits than Python reads
        raise MalformedBody("The body holds a number that is too long.") from error
    if value is None:  # no body in other words, for a route that takes one or none
        return None
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", errors=[FieldError(("body",), "must be a JSON object")])
    _check_texts(value)
    return value


def idempotency(event: APIGatewayProxyEventV2, key: str | None) -> Idempotency | None:
    """The client's key, with a fingerprint of what it stands for: method, path and body, however spelled."""
    if key is None:
        return None
    body = json.dumps(event.json_body, sort_keys=True, separators=(",", ":"))
    request = f"{event.http_method} {event.path}\n{body}"
    return Idempotency(key, hashlib.sha256(request.encode()).digest())


def base_address(event: APIGatewayProxyEventV2) -> str:
    """Scheme, host and stage under which the client reached us, without a slash at the end.

    API Gateway lets only its own and its mapped hosts through, and always names the scheme. Where no scheme is
    named there is no gateway, hence no TLS, before us: a host on the client's own machine is plain http.
    """
    host = event.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = event.request_context.domain_name
    scheme = event.headers.get("x-forwarded-proto", "").lower()
    if scheme not in ("http", "https"):
        scheme = "http" if is_loopback(_without_port(host)) else "https"
    stage = event.request_context.stage
    prefix = f"/{stage}" if stage != "$default" and event.raw_path.startswith(f"/{stage}/") else ""
    return f"{scheme}://{host}{prefix}"


def _bytes(event: APIGatewayProxyEventV2) -> bytes:
    body = event.body or ""
    if not event.is_base64_encoded:
        return body.encode("utf-8", "surrogatepass")
    try:
        decoded = base64.b64decode(body, validate=True)
        decoded.decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise MalformedBody("The body is not UTF-8.") from error
    return decoded


def _is_json(headers: Any) -> bool:
    """Whether the body says it is JSON. Nothing said is taken for JSON, a charset other than UTF-8 is not."""
    media_type, *parameters = headers.get("content-type", "application/json").lower().split(";")
    charsets = {
        value.strip(' "') for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "charset"
    }
    return media_type.strip() == "application/json" and charsets <= {"utf-8"}


def _check_texts(value: Any) -> None:
    """Walk without recursion over names and texts; both end up in the database or in an answer."""
    queue: list[tuple[Any, tuple[str | int, ...]]] = [(value, ("body",))]
    while queue:
        item, loc = queue.pop()
        if len(loc) > MAX_BODY_DEPTH:
            raise MalformedBody("The body is nested too deeply.")
        if isinstance(item, str):
            if UNSTORABLE.search(item):
                _refuse_text(loc)
        elif isinstance(item, dict):
            for name, inner in item.items():
                if UNSTORABLE.search(name):
                    _refuse_text(loc)
                queue.append((inner, (*loc, name)))
        elif isinstance(item, list):
            queue.extend((inner, (*loc, index)) for index, inner in enumerate(item))


def _refuse_text(loc: tuple[str | int, ...]) -> NoReturn:
    message = "holds U+0000 or half of a surrogate pair, which cannot be stored"
    raise Invalid("The request holds a text that cannot be stored.", errors=[FieldError(loc, message)])


def _no_constant(name: str) -> NoReturn:
    raise MalformedBody(f"The body is not JSON: {name} is no number (RFC 8259, 6).")


def _number(text: str) -> int | float:
    """`2.0` and `1e1` are whole numbers as well (JSON Schema 2020-12, Core 4.2.2)."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= MAX_EXACT else number


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise MalformedBody("The body names a field twice (RFC 8259, 4).")
    return named


def _without_port(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
