"""What the local AWS engine's CloudFormation does not know of the template's observability, put beside what it knows.

Alarms over metric math are made as others are, and evaluated by `engine_cloudwatch`. Saved queries are left out: there
is no Logs Insights here that would run one.
"""

from collections.abc import Mapping
from typing import Any

from scrapersky_local import alarm_math
from scrapersky_local.seams import require

QUERY_DEFINITION = "AWS::Logs::QueryDefinition"


def know_alarm_math(provisioners: Any) -> None:
    """Let CloudFormation make alarms of `Metrics`.

    Raises:
        StackError: the module is not the one of the pinned version.
    """
    require(provisioners, {"_cw_metric_alarm_record": ["name", "props"]})
    record = provisioners._cw_metric_alarm_record

    def record_any(name: str, props: dict[str, Any]) -> dict[str, Any]:
        queries = props.get("Metrics")
        if not queries:
            made: dict[str, Any] = record(name, props)
            return made
        period = alarm_math.period_of(queries)
        # What cannot be evaluated is refused while it is made, and not when it should ring.
        alarm_math.result(queries, {query["Id"]: [None] for query in queries if "MetricStat" in query})
        stand_in = {"MetricName": name, "Namespace": name, "Period": period}
        alarm: dict[str, Any] = record(name, {key: props[key] for key in props if key != "Metrics"} | stand_in)
        of_one_metric = dict.fromkeys((*stand_in, "Statistic", "Dimensions"))
        return alarm | of_one_metric | {"Metrics": queries}

    provisioners._cw_metric_alarm_record = record_any


def leave_out_queries(provisioners: Any) -> None:
    """Let CloudFormation pass over the saved queries of Logs Insights."""

    def create(logical_id: str, _properties: Mapping[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        return f"{stack_name}-{logical_id}", {}

    def update(physical_id: str, *_rest: Any) -> tuple[str, dict[str, str]]:
        return physical_id, {}

    def delete(_physical_id: str, _properties: Mapping[str, Any]) -> None:
        return None

    provisioners._RESOURCE_HANDLERS[QUERY_DEFINITION] = {"create": create, "update": update, "delete": delete}
