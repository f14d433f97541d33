"""The alarms: everything that may go wrong is watched, by metrics that are really told, and reaches somebody."""

import copy
import re
from typing import Any

import pytest

from contract import cloudformation as cfn
from contract import watched
from contract.watched import ALARM, Watched, deployed, of_type, unknown, unwatched, watched_by
from scrapersky.domain.status import JobKind
from scrapersky_local.alarms import Rule, State, state

COMPOSITE = "AWS::CloudWatch::CompositeAlarm"
TOPIC = [{"Fn::If": ["MakesAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]}]
# CloudWatch's limits (PutMetricAlarm, PutCompositeAlarm, its quotas).
METRICS_LIMIT = 10  # of a math expression of an alarm
RULE_CHARACTERS = 10_240
CHILDREN_LIMIT = 100
DAY_SECONDS = 86_400
STACK_NAME_CHARACTERS = 128

ALARMS = cfn.of_type(ALARM)


def name_of(alarm: dict[str, Any]) -> str:
    """What stands behind the stack's name."""
    found = re.fullmatch(r"\$\{AWS::StackName\}-([a-z0-9]+(?:-[a-z0-9]+)*)", alarm["AlarmName"]["Fn::Sub"])
    assert found, alarm["AlarmName"]
    return found[1]


# --- nothing goes wrong unseen ---


def test_every_function_queue_and_state_machine_is_watched() -> None:
    assert unwatched(deployed()) == set()


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_control_without_one_of_them_something_is_not(alarm: str) -> None:
    """But for those that look at what has no resource of its own: the rows, the gateway, extraction, the canary."""
    mutant = {name: one for name, one in deployed().items() if name != alarm}
    of_resources = {
        metric
        for metric in watched_by(cfn.assumed(ALARMS[alarm]))
        if metric.namespace in ("AWS/Lambda", "AWS/SQS", "AWS/States") and metric.name != "Invocations"
    }
    assert len(unwatched(mutant)) == len(of_resources)


def test_control_a_new_function_and_a_new_queue_want_alarms() -> None:
    mutant = copy.deepcopy(deployed())
    mutant["NewFunction"] = {"Type": watched.FUNCTION, "Properties": {}}
    mutant["NewDeadLetterQueue"] = {"Type": watched.QUEUE, "Properties": {}}
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["NewDeadLetterQueue", "Arn"]}}
    mutant["NewQueue"] = {"Type": watched.QUEUE, "Properties": {"RedrivePolicy": redrive}}
    wanted = {
        "NewFunction: Errors",
        "NewFunction: Throttles",
        "NewQueue: ApproximateAgeOfOldestMessage",
        "NewDeadLetterQueue: ApproximateNumberOfMessagesVisible",
    }
    assert unwatched(mutant) == wanted

    source = {"EventSourceArn": {"Fn::GetAtt": ["NewDeadLetterQueue", "Arn"]}}
    mutant["NewMapping"] = {"Type": watched.MAPPING, "Properties": source}
    assert unwatched(mutant) == {*wanted, "NewDeadLetterQueue: ApproximateNumberOfMessagesNotVisible"}


# --- what they look at is told ---


def test_every_metric_of_an_alarm_is_one_that_is_told() -> None:
    assert cfn.written()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == (
        watched.OURS
    )
    for name, alarm in of_type(deployed(), ALARM).items():
        assert unknown(list(watched_by(alarm)), deployed()) == [], name


@pytest.mark.parametrize(
    "metric",
    [
        Watched("ours", "Sweep"),
        Watched("ours", "Sweeps", (("kind", "domain_scan"),)),
        Watched("ours", "JobsEnded", (("kind", "domain_scan"),)),
        Watched("ours", "JobsEnded", (("kind", "domain_scan"), ("outcome", "lost"))),
        Watched("ScraperSky", "Sweeps"),
        Watched("AWS/Lambda", "Errors", (("FunctionName", "NoFunction"),)),
        Watched("AWS/Lambda", "Errors"),
        Watched("AWS/SQS", "Errors", (("QueueName", "ScanQueue"),)),
    ],
    ids=lambda metric: f"{metric.namespace} {metric.name} {dict(metric.dimensions)}",
)
def test_control_a_metric_that_nobody_tells_is_seen(metric: Watched) -> None:
    assert unknown([metric], deployed()) == [metric]


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("OldestPendingAlarm", "OldestPendingSeconds"),
        ("OutboxAlarm", "OldestOwedSeconds"),
        ("EventAlarm", "OldestUndispatchedSeconds"),
    ],
)
def test_what_waits_longest_rings_after_five_minutes(name: str, metric: str) -> None:
    alarm = ALARMS[name]
    assert list(watched_by(alarm)) == [Watched("ours", metric)]
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (300, "Maximum", 60)


def test_a_pool_that_has_no_room_is_slow_whether_it_shows_on_connecting_or_on_the_first_statement() -> None:
    assert {metric.name for metric in watched_by(ALARMS["DatabaseAlarm"])} == {
        "DatabaseConnectMilliseconds",
        "TransactionMilliseconds",
    }


def test_only_codes_that_are_no_site_s_are_our_faults() -> None:
    ended = [metric for metric in watched_by(ALARMS["JobFaultAlarm"]) if metric.name == "JobsEnded"]
    assert {metric.dimensions for metric in ended} == {
        (("kind", kind.value), ("outcome", code)) for kind in JobKind for code in ("worker_lost", "internal")
    }


def test_every_kind_of_job_is_watched_for_empty_results() -> None:
    metrics = [metric for alarm in of_type(deployed(), ALARM).values() for metric in watched_by(alarm)]
    empty = {dict(metric.dimensions)["kind"] for metric in metrics if metric.name == "JobsWithoutResult"}
    assert empty == {kind.value for kind in JobKind}


# --- each can ring, and is heard ---


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_an_alarm_has_a_name_a_meaning_and_somebody_who_hears_it(alarm: str) -> None:
    properties = ALARMS[alarm]
    assert alarm.endswith("Alarm")
    assert name_of(properties)
    assert len(properties["AlarmDescription"].split()) > 6  # a sentence, and no second name
    assert not properties["AlarmDescription"].endswith(".")
    assert properties["AlarmActions"] == properties["OKActions"] == TOPIC


def test_names_are_unique() -> None:
    names = [name_of(alarm) for alarm in [*ALARMS.values(), *cfn.of_type(COMPOSITE).values()]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_an_alarm_is_within_cloudwatch_s_limits_and_one_that_can_be_evaluated(alarm: str) -> None:
    properties = cfn.assumed(ALARMS[alarm])
    queries = properties.get("Metrics", [])
    stats = [query for query in queries if "MetricStat" in query]
    assert len(stats) <= METRICS_LIMIT
    assert len({query["Id"] for query in queries}) == len(queries)
    assert all(re.fullmatch(r"[a-z]\w*", query["Id"]) for query in queries)
    periods = {query["MetricStat"]["Period"] for query in stats} or {properties["Period"]}
    (period,) = periods
    rule = Rule.of({**properties, "Period": period})
    assert period % 60 == 0
    assert period * rule.periods <= DAY_SECONDS
    assert rule.datapoints <= rule.periods


def test_silence_rings_where_it_is_the_fault_and_nowhere_else() -> None:
    by_word: dict[str, set[str]] = {}
    for alarm in ALARMS.values():
        by_word.setdefault(alarm["TreatMissingData"], set()).add(name_of(alarm))
    assert by_word.pop("breaching") == {"sweeper-silent", "canary"}
    assert set(by_word) == {"notBreaching"}


def test_silence_rings_within_ten_minutes_and_not_for_a_sweep_or_two() -> None:
    """CloudWatch takes the newest data points that it finds in some periods more than an alarm looks at."""
    rule = Rule.of(ALARMS["SweeperAlarm"])

    def rings_after(minutes: int) -> bool:
        """So long after sweeps that told themselves every minute."""
        seen = [None] * minutes + [1.0] * rule.windows
        return state(rule, seen[: rule.windows], State.OK) is State.ALARM

    rings = [rings_after(minutes) for minutes in range(rule.windows + 1)]
    assert rule.period == 60
    assert not any(rings[:3])
    assert any(rings[:10])


def test_a_run_of_the_canary_that_fails_is_not_hidden_by_one_that_passes() -> None:
    """Two or three of them fall into a period when it runs every two minutes."""
    assert ALARMS["CanaryAlarm"]["Statistic"] == "Minimum"


def test_a_run_of_the_canary_falls_into_every_period() -> None:
    assert ALARMS["CanaryAlarm"]["Period"] >= 60 * cfn.written()["Parameters"]["CanaryMinutes"]["MaxValue"]


def test_one_retry_alone_rings_no_alarm() -> None:
    rings_at = {
        metric.dimensions[0][1]: alarm["Threshold"]
        for alarm in ALARMS.values()
        for metric in watched_by(alarm)
        if metric.name == "ApproximateAgeOfOldestMessage"
    }
    queues = cfn.of_type("AWS::SQS::Queue")

    assert rings_at.keys() == set(queues) - watched.dead_letter_queues(deployed())
    for queue, seconds in rings_at.items():
        assert seconds > queues[queue]["VisibilityTimeout"]


def rule_names(composite: dict[str, Any]) -> list[str]:
    """The logical ids that an alarm rule names, each in alarm, joined by OR."""
    joined = cfn.assumed(composite["AlarmRule"])["Fn::Join"]
    assert joined[0] == " OR "
    found = [re.fullmatch(r'ALARM\("\$\{(\w+)\}"\)', term["Fn::Sub"]) for term in joined[1]]
    return [match[1] for match in found if match]


def test_the_status_is_that_of_every_alarm() -> None:
    (composite,) = cfn.of_type(COMPOSITE).values()
    terms = composite["AlarmRule"]["Fn::Join"][1]

    assert name_of(composite) == "status"
    assert composite["AlarmActions"] == composite["OKActions"] == TOPIC
    assert sorted(rule_names(composite)) == sorted(ALARMS)
    assert len(terms) == len(ALARMS) <= CHILDREN_LIMIT
    longest = sum(len(name_of(alarm)) + STACK_NAME_CHARACTERS + len('ALARM("-") OR ') for alarm in ALARMS.values())
    assert longest <= RULE_CHARACTERS


def test_an_alarm_of_a_conditional_resource_is_as_conditional() -> None:
    resources = cfn.translated()["Resources"]
    conditional = {name: one["Condition"] for name, one in resources.items() if "Condition" in one}
    assert conditional["CanaryAlarm"] == conditional["CanaryFunction"] == "RunsCanary"
    (composite,) = cfn.of_type(COMPOSITE).values()
    terms = [term["Fn::If"] for term in composite["AlarmRule"]["Fn::Join"][1] if "Fn::If" in term]
    assert terms == [["RunsCanary", {"Fn::Sub": 'ALARM("${CanaryAlarm}")'}, "FALSE"]]
    for name, alarm in ALARMS.items():
        always = [query for query in alarm.get("Metrics", []) if "MetricStat" in query]  # and no Fn::If
        for metric in watched_by({"Metrics": always}) if always else ():
            assert conditional.keys().isdisjoint(value for _, value in metric.dimensions), name


# --- who hears them ---


def test_the_topic_takes_what_this_stack_s_alarms_say_and_over_tls_alone() -> None:
    (policy,) = cfn.of_type("AWS::SNS::TopicPolicy").values()
    allowed, denied = policy["PolicyDocument"]["Statement"]

    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    assert (allowed["Effect"], allowed["Action"]) == ("Allow", "sns:Publish")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":alarm:${AWS::StackName}-*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_an_address_hears_whichever_topic_there_is() -> None:
    (subscription,) = cfn.of_type("AWS::SNS::Subscription").values()
    assert subscription["TopicArn"] == TOPIC[0]
    assert subscription["Endpoint"] == {"Ref": "AlarmEmail"}
    pattern = cfn.written()["Parameters"]["AlarmEmail"]["AllowedPattern"]
    assert re.fullmatch(pattern, "")
    assert re.fullmatch(pattern, "ops@shop.example")
    assert not re.fullmatch(pattern, "ops at shop.example")
