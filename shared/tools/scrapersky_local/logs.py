"""What functions write, made readable: one line for one event, in the order in which people look for things."""

import json
from datetime import datetime
from typing import Any

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


def readable(function: str, line: str) -> str | None:
    """The line as a person wants to see it, None for what is none of theirs (metrics, empty lines).

    Structured logs become `time function LEVEL message key=value …`, with a traceback below; other text stays.
    """
    if not line.strip():
        return None
    event = _event(line)
    if event is None:
        return f"{_now()} {function:{_FUNCTION_WIDTH}} {line.rstrip()}"
    if "_aws" in event:  # an embedded metric
        return None
    keys = " ".join(f"{name}={_value(value)}" for name, value in event.items() if name not in _NOT_SHOWN)
    level = str(event.get("level", "INFO"))
    text = f"{_time(event)} {function:{_FUNCTION_WIDTH}} {level:7} {event.get('message', '')} {keys}".rstrip()
    trace = event.get("exception")
    return f"{text}\n{_indented(trace)}" if isinstance(trace, str) else text


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
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
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())
