"""Where logs go, and how long they are kept."""

import pytest

from contract import cloudformation as cfn

FOLDERS = sorted(cfn.functions())
LONGEST_RETENTION_DAYS = 365  # logs name domains and tenants


@pytest.mark.parametrize("folder", FOLDERS)
def test_logs_go_to_a_group_of_their_own(folder: str) -> None:
    group = cfn.target(cfn.functions()[folder]["LoggingConfig"]["LogGroup"])

    assert group == cfn.logical_id(folder).removesuffix("Function") + "LogGroup"


def test_every_log_group_ends_when_the_deployment_says_and_within_a_year() -> None:
    days = cfn.written()["Parameters"]["LogRetentionDays"]
    groups = cfn.of_type("AWS::Logs::LogGroup")

    assert {str(group.get("RetentionInDays")) for group in groups.values()} == {str({"Ref": "LogRetentionDays"})}
    assert days["Default"] in days["AllowedValues"]
    assert max(days["AllowedValues"]) <= LONGEST_RETENTION_DAYS


def test_nothing_logs_into_a_group_that_the_template_does_not_make() -> None:
    """A group that AWS makes by itself is kept for ever."""
    groups = set(cfn.of_type("AWS::Logs::LogGroup"))
    used = {cfn.target(function["LoggingConfig"]["LogGroup"]) for function in cfn.functions().values()}
    for machine in cfn.of_type("AWS::StepFunctions::StateMachine").values():
        for place in machine["LoggingConfiguration"]["Destinations"]:
            used.add(cfn.target(place["CloudWatchLogsLogGroup"]["LogGroupArn"]))
    for stage in cfn.of_type("AWS::ApiGatewayV2::Stage").values():
        used.add(cfn.target(stage["AccessLogSettings"]["DestinationArn"]))
    assert used == groups
