"""What functions write: kept as one JSON object a line, and made readable for those who watch."""

import json
from datetime import UTC, datetime
from typing import Any

from scrapersky_cli.text import printable

# Said by the line's own columns, or the same on every line of a function.
_NOT_SHOWN = frozenset(
    {
        "cold_start",
        "exception",
        "exception_name",
        "function_arn",
        "function_memory_size",
        "function_name",
        "function_request_id",
        "level",
        "location",
        "message",
        "sampling_rate",
        "service",
        "stack_trace",
        "timestamp",
        "xray_trace_id",
    }
)
_FUNCTION_WIDTH = 18  # domain_scan_worker, the longest


def entry(function: str, line: str) -> str | None:
    """The line as `functions.log` keeps it: one JSON object, whoever wrote it. None for an empty line.

    What is no object (a crash's traceback, what the runtime client or a library prints) becomes the `message` of one.
    """
    if not line.strip():
        return None
    event = _event(line)
    if event is None:
        event = {"timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"), "message": line}
    return json.dumps({"service": function, **event}, separators=(",", ":"))


def readable(function: str, line: str) -> str | None:
    """The line as a person wants to see it, None for what is none of theirs (metrics, empty lines).

    Structured logs become `time function LEVEL message key=value …`, with a traceback below; other text stays. Nothing
    in it acts on the terminal that shows it.
    """
    if not line.strip():
        return None
    event = _event(line)
    if event is None:
        text = line.rstrip().replace("\r", "\n    ")  # how the runtime client ends the lines of a traceback
        return printable(f"{_now()} {function:{_FUNCTION_WIDTH}} {text}")
    if "_aws" in event:  # an embedded metric
        return None
    keys = " ".join(f"{name}={_value(value)}" for name, value in event.items() if name not in _NOT_SHOWN)
    level = str(event.get("level", "INFO"))
    said = f"{_time(event)} {function:{_FUNCTION_WIDTH}} {level:7} {event.get('message', '')} {keys}"
    text = printable(" ".join(said.splitlines()).rstrip())
    trace = event.get("exception")
    return f"{text}\n{_indented(trace)}" if isinstance(trace, str) else text


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line, parse_constant=str)  # NaN is no JSON (RFC 8259, 6), though Python writes it
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value and not any(character.isspace() for character in value) else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)


def _time(event: dict[str, Any]) -> str:
    """The clock time of the event, in this machine's zone."""
    try:
        return datetime.strptime(str(event["timestamp"]), "%Y-%m-%d %H:%M:%S,%f%z").astimezone().strftime("%H:%M:%S")
    except (KeyError, ValueError):
        return _now()


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


def _indented(text: str) -> str:
    return "\n".join(f"    {printable(line)}" for line in text.rstrip().splitlines())
