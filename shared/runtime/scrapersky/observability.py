"""Logs: one JSON object a line, the same keys everywhere, no secret in any of them.

What a line may show is decided here alone (`shown`). Nothing is read or opened at import.
"""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from scrapersky import metrics
from scrapersky.metrics import Metric

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

HIDDEN = "***"
# CloudWatch takes 256 KB an event and cuts what is longer, and half an object is no JSON. A line has a traceback at
# most, and a character takes up to 6 bytes of it.
LONGEST_TEXT = 20_000
LONGEST_READ = 100_000  # of a text that is longer nothing behind this is even looked at
SHORTEST_SECRET = 6  # what is shorter stands in ordinary words as well

_secrets: set[str] = set()
_is_cold = True  # until the process's first invocation

# The password of a DSN, as a URI or as keywords (libpq, 32.1.1).
_PASSWORD = re.compile(
    r"://[^:/?#\s]*:(.*)@|\bpassword\s*=\s*'((?:[^'\\]|\\.)*)'|\bpassword\s*=\s*((?:[^\s&'\\]|\\.)+)"
)
# Secrets that only their form tells. Lengths are bounded, so that no text is read over and over to its end.
_FORMS = (
    (re.compile(r"\beyJ[\w-]{5,2000}\.[\w-]{1,2000}\.[\w-]{0,2000}"), HIDDEN),  # a JWT (RFC 7519, 3.1)
    (re.compile(r"\b(bearer|basic) +[\w.~+/=-]{8,2000}", re.IGNORECASE), rf"\1 {HIDDEN}"),  # RFC 9110, 11.4
    (re.compile(r"(?<=://)[^/?#\s]{1,2000}@"), f"{HIDDEN}@"),  # user and password in a URL
    (re.compile(r"(https?://[^\s?#'\"<>]{1,2000})[?#][^\s'\"<>]*", re.IGNORECASE), rf"\1?{HIDDEN}"),
    (re.compile(r"(?<=DETAIL:  ).*?(?=\n\n|\nCONTEXT:|\nHINT:|\Z)", re.DOTALL), HIDDEN),  # Postgres shows whole rows
)


def hide(secret: str) -> None:
    """Show this secret on no line from now on, nor the password in it, however they are spelled."""
    found = {text for match in _PASSWORD.finditer(secret) for text in match.groups() if text}
    # A key out of a file has a line's end, which who uses it takes off.
    for text in {
        secret,
        secret.strip(),
        *found,
        *map(unquote, found),
        *(re.sub(r"\\(.)", r"\1", text) for text in found),
    }:
        if len(text) >= SHORTEST_SECRET:
            _secrets.update((text, quote(text, safe=""), repr(text)[1:-1], json.dumps(text)[1:-1]))


def shown(text: str) -> str:
    """The text without secrets: those that were read, and whatever has the form of one; its middle is cut if long."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = text[:LONGEST_READ]
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    half = LONGEST_TEXT // 2
    return text if len(text) <= LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"


@cache
def logger() -> "Logger":
    """The process's logger; service and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    from aws_lambda_powertools import Logger

    made = Logger(utc=True, json_serializer=_line)
    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        _write_all_through(made.registered_handler)
        logging.getLogger(made.name).propagate = False
    return made


def observed(handler: "Callable[[Any, LambdaContext], Any]") -> "Callable[[Any, LambdaContext], Any]":
    """Put request id and cold start on every log line of an invocation, and let none leak into the next one.

    What was counted is written when it ends, however it does.

    An error of the handler is logged and raised again, for the runtime logs it and answers with it: where its text is
    not to be shown, an error of the same name (state machines go by it) says the rest.
    """

    @wraps(handler)
    def invoke(event: Any, context: "LambdaContext") -> Any:
        _count_cold_start()
        try:
            return logger().inject_lambda_context(handler, clear_state=True)(event, context)
        except Exception as error:
            logger().exception("function failed")
            text = str(error)
            if shown(text) == text:
                raise
            raise type(type(error).__name__, (Exception,), {})(shown(text)) from None
        finally:
            _write_metrics()

    return invoke


def _count_cold_start() -> None:
    global _is_cold
    if _is_cold and os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency":
        metrics.count(Metric.COLD_STARTS)
    _is_cold = False


def _write_metrics() -> None:
    """An invocation's work is done or failed by now, and what it comes to does not hang on its metrics."""
    try:
        metrics.flush()
    except Exception:
        logger().exception("metrics not written")


def _write_all_through(handler: logging.Handler) -> None:
    """Let libraries and Python's own warnings write as we do. The runtime's handler would write text over many lines.

    Their warnings alone: what they say of their ordinary work names every address that is fetched.
    """
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _line(record: Mapping[str, Any]) -> str:
    """A record as one line. ASCII, so that no text can break it, steer a terminal or fail to be encoded."""
    line = {name: _presentable(value) for name, value in record.items()}  # its own names are no secrets
    return json.dumps(line, separators=(",", ":"), allow_nan=False)


def _presentable(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {shown(str(name)): _presentable(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_presentable(inner) for inner in value]
    return shown(str(value))
