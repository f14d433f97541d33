"""Embedded metrics: lines held to the rules of CloudWatch's specification, and what they say added up.

The rules are those of "Specification: Embedded metric format" and its JSON schema in the CloudWatch user's guide.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

UNITS = "Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Percent|Count|None"  # noqa: E501
LINE_BYTES = 256 * 1024  # the older of the guide's two figures, and the smaller one
Values = dict[str, list[float]]


def documents(text: str) -> list[dict[str, Any]]:
    """The embedded metrics among the lines, each of them checked."""
    found = [json.loads(line) for line in text.splitlines() if '"_aws"' in line]
    for document in found:
        check(document)
    return found


def check(document: dict[str, Any]) -> None:
    """Raise AssertionError for what CloudWatch would not read, or not as it is meant."""
    assert len(json.dumps(document)) <= LINE_BYTES
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(metadata["Timestamp"], int)
    seen: set[tuple[str, str, frozenset[str]]] = set()
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 255  # the API's own limit; the schema's is 1024
        assert re.fullmatch(r"[A-Za-z0-9._/#:-]+", directive["Namespace"])
        assert len(directive["Dimensions"]) >= 1
        assert 1 <= len(directive["Metrics"]) <= 100
        for names in directive["Dimensions"]:
            assert len(names) == len(set(names)) <= 30
            for name in names:
                assert 1 <= len(name) <= 250
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert 1 <= len(metric["Name"]) <= 255
            assert re.fullmatch(UNITS, metric["Unit"])
            assert metric.get("StorageResolution", 60) in (1, 60)
            values = document[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            assert 1 <= len(values) <= 100
            assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
            for names in directive["Dimensions"]:
                key = (directive["Namespace"], metric["Name"], frozenset(names))
                assert key not in seen, "told twice"
                seen.add(key)


def values(found: Iterable[dict[str, Any]], **dimensions: str) -> Values:
    """Metric to its values, as CloudWatch keeps them under exactly these dimensions."""
    told: Values = {}
    for document in found:
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                if {name: document[name] for name in names} == dimensions:
                    for metric in directive["Metrics"]:
                        told.setdefault(metric["Name"], []).extend(document[metric["Name"]])
    return told
