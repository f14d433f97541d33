"""Metric math, as far as alarms of the template use it: one number a period out of the numbers of several metrics.

Spoken as CloudWatch does (User Guide, "Using math expressions with CloudWatch metrics"): `+ - * /`, comparisons, which
are 1 or 0, `SUM([a, b])`, `MAX([a, b])`, of `METRICS()` too, and `IF(condition, then, else)`. A period in which an
operand has no data has no result, but for SUM and MAX, which are of what there is.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Value = float | None
Values = Value | list[Value]  # of METRICS() and [a, b]: one for each

_OPERATIONS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def period_of(queries: Sequence[Mapping[str, Any]]) -> int:
    """The period of an alarm's metrics, in seconds, which is the same for all of them.

    Raises:
        ValueError: they differ, or there is no metric.
    """
    periods = {int(query["MetricStat"]["Period"]) for query in queries if "MetricStat" in query}
    if len(periods) != 1:
        raise ValueError("the metrics of an alarm must have one period")
    return periods.pop()


def result(queries: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[Value]]) -> list[Value]:
    """What the one query that returns data comes to in each period.

    Args:
        queries: the alarm's `Metrics`, as PutMetricAlarm takes them.
        found: for the id of each metric its values, a period each; all as many.

    Raises:
        ValueError: an expression is none that is known here, or not exactly one query returns data.
    """
    told = [query for query in queries if query.get("ReturnData", True)]
    if len(told) != 1:
        raise ValueError("one query of an alarm returns data, and no other")
    expressions = {query["Id"]: _parsed(query["Expression"]) for query in queries if "Expression" in query}
    periods = len(next(iter(found.values()), ()))
    return [
        _Period({name: values[index] for name, values in found.items()}, expressions).value(told[0]["Id"])
        for index in range(periods)
    ]


def _parsed(expression: str) -> ast.expr:
    try:
        return ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{expression!r} is no expression that is known here") from error


class _Period:
    """One period: the values of its metrics, and the expressions over them."""

    def __init__(self, metrics: Mapping[str, Value], expressions: Mapping[str, ast.expr]) -> None:
        self._metrics = metrics
        self._expressions = expressions

    def value(self, name: str, above: tuple[str, ...] = ()) -> Value:
        """Of a metric or an expression, by its id."""
        if name in self._metrics:
            return self._metrics[name]
        if name in above or name not in self._expressions:
            raise ValueError(f"{name} is no metric, and no expression that comes before")
        return _single(self._of(self._expressions[name], (*above, name)))

    def _of(self, node: ast.expr, above: tuple[str, ...]) -> Values:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self.value(name, above)
            case ast.List(elts=elements):
                return [_single(self._of(element, above)) for element in elements]
            case ast.BinOp(left=left, op=operation, right=right):
                return _applied(operation, _single(self._of(left, above)), _single(self._of(right, above)))
            case ast.Compare(left=left, ops=[operation], comparators=[right]):
                return _applied(operation, _single(self._of(left, above)), _single(self._of(right, above)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._called(name, [self._of(argument, above) for argument in arguments])
        raise ValueError(f"metric math with {ast.unparse(node)!r} is not known here")

    def _called(self, name: str, arguments: list[Values]) -> Values:
        match name, arguments:
            case "METRICS", []:
                return list(self._metrics.values())
            case "SUM" | "MAX", [list() as values]:
                there: list[float] = [value for value in values if value is not None]
                if not there:
                    return None
                return sum(there) if name == "SUM" else max(there)
            case "IF", [condition, then, otherwise]:
                if _single(condition) is None:
                    return None
                return then if condition else otherwise
        raise ValueError(f"metric math with {name} of {len(arguments)} is not known here")


def _single(value: Values) -> Value:
    if isinstance(value, list):
        raise ValueError("several metrics stand where there must be one")
    return value


def _applied(operation: ast.AST, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if isinstance(operation, ast.Div):
        return left / right if right else None  # CloudWatch has no data point for it either
    if type(operation) not in _OPERATIONS:
        raise ValueError(f"metric math with {type(operation).__name__} is not known here")
    return float(_OPERATIONS[type(operation)](left, right))
