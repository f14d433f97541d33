"""Every metric that is named is told by somebody; a name that nobody tells is a graph that stays empty."""

import ast

from contract.cloudformation import FUNCTIONS, ROOT
from scrapersky.metrics import Metric

RUNTIME = ROOT / "shared" / "runtime" / "scrapersky"


def told() -> set[str]:
    """The members of Metric that code names, but for where they are defined."""
    paths = [path for path in RUNTIME.rglob("*.py") if path.name != "metrics.py"] + list(FUNCTIONS.glob("*/app.py"))
    return {
        node.attr
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Metric"
    }


def test_every_metric_is_told() -> None:
    assert told() == {metric.name for metric in Metric}
