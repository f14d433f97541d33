"""The saved queries of Logs Insights: over all logs, with fields and messages that our lines really have."""

import json
import re

import pytest

from contract import cloudformation as cfn
from contract import log_fields

QUERIES = cfn.of_type("AWS::Logs::QueryDefinition")
# Logs Insights' own words (its query syntax: commands, functions, keywords), as far as the queries use them.
COMMANDS = {"fields", "filter", "sort", "stats", "limit"}
WORDS = {"as", "by", "asc", "desc", "and", "or", "not", "in", "like"}
FUNCTIONS = {"count", "count_distinct", "avg", "max", "min", "sum", "pct", "latest", "ispresent"}
DISCOVERED = {"@timestamp", "@message", "@log", "@logStream"}  # of every line, by Logs Insights itself
GROUPS_LIMIT = 50  # log groups of a query
CHARACTERS_LIMIT = 10_000


def access_log_fields() -> set[str]:
    """What the gateway's own lines say."""
    (stage,) = cfn.of_type("AWS::ApiGatewayV2::Stage").values()
    return set(json.loads(stage["AccessLogSettings"]["Format"]))


def named(query: str) -> tuple[set[str], set[str]]:
    """(the fields that a query names, the texts that it compares `message` with)."""
    texts = {
        text
        for comparison in re.findall(r'message (?:not )?(?:=|in) (\[[^]]*\]|"[^"]*")', query)
        for text in re.findall(r'"([^"]*)"', comparison)
    }
    bare = re.sub(r'"[^"]*"|/[^/]*/', " ", query)
    made = set(re.findall(r"\bas (\w+)", bare))
    words = set(re.findall(r"@?\b[A-Za-z]\w*", bare))
    return words - made - COMMANDS - WORDS - FUNCTIONS, texts


def wrong(query: str) -> set[str]:
    """The fields and messages of a query that no line of ours has."""
    fields, messages = named(query)
    known = log_fields.fields() | DISCOVERED | access_log_fields()
    return (fields - known) | (messages - log_fields.messages())


@pytest.mark.parametrize("query", sorted(QUERIES))
def test_a_query_asks_for_what_lines_have_over_all_logs(query: str) -> None:
    properties = QUERIES[query]
    groups = [cfn.target(group) for group in cfn.assumed(properties["LogGroupNames"])]

    assert wrong(properties["QueryString"]) == set()
    assert sorted(groups) == sorted(cfn.of_type("AWS::Logs::LogGroup"))
    assert len(groups) <= GROUPS_LIMIT
    assert len(properties["QueryString"]) <= CHARACTERS_LIMIT
    commands = [part.split()[0] for part in re.split(r"^\| |\n\| ", properties["QueryString"])]
    assert set(commands) <= COMMANDS
    assert re.search(r"^\| limit \d+$", properties["QueryString"], re.M)  # a story is read, not scrolled


def test_what_an_operator_asks_is_there() -> None:
    names = {query["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}/") for query in QUERIES.values()}
    assert names >= {
        "a job's story",
        "a request's story",
        "a batch's story",
        "slowest domains",
        "failures by code",
        "errors",
        "webhook failures by endpoint",
    }


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ('filter jobid = "x"', {"jobid"}),
        ("stats count(*) as scans by host", {"host"}),
        ('filter message = "scan done"', {"scan done"}),
        ('filter message in ["scan ended", "scan done"]', {"scan done"}),
        ("fields @time, job_id", {"@time"}),
        ("filter @message like /no field/ | stats max(ms) as most by domain", set()),
    ],
)
def test_control_a_field_or_a_message_that_is_none_is_seen(query: str, missing: set[str]) -> None:
    assert wrong(query) == missing


def test_control_fields_and_messages_are_found_where_they_are_said() -> None:
    assert {"job_id", "domain", "outcome", "wire_bytes", "route", "step", "webhook_id"} <= log_fields.fields()
    assert {"scan ended", "swept", "request refused", "canary failed", "worker lost"} <= log_fields.messages()
    assert not {"extra", "job", "keys"} & log_fields.fields()
