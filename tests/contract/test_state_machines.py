"""The state machine: sound, the same on AWS and on the local stack, within its limits and its rights."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]

from contract import cloudformation as cfn
from contract.state_machines import Definition, for_moto, states, unread, wrapped
from scrapersky.domain.status import JobKind

DEFINITION = cfn.FUNCTIONS / "batch_workflow" / "definition.asl.json"
BATCHED = (JobKind.DOMAIN_SCAN, JobKind.SITEMAP_SCAN)  # a places search is no part of a batch
EXPRESS_SECONDS = 300  # the most that AWS lets an express execution run
PASSING_FAULTS = {
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
}


def definition() -> Definition:
    read: Definition = json.loads(DEFINITION.read_text())
    return read


def faults(definition: Definition) -> list[str]:
    return [str(match) for match in lint(json.dumps(wrapped(definition)))]


def declared() -> dict[Path, dict[str, Any]]:
    """The file of each state machine in the template, and its properties."""
    return {
        (cfn.ROOT / resource["Properties"]["DefinitionUri"]).resolve(): resource["Properties"]
        for resource in cfn.written()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }


def called(state: Definition) -> str:
    """The folder of the function that a task invokes."""
    arn: str = state["Parameters"]["FunctionName"]
    return cfn.folder_name(arn.removeprefix("${").removesuffix("Arn}"))


def tasks() -> list[tuple[str, Definition]]:
    return [(name, state) for name, state in states(definition()) if state["Type"] == "Task"]


def maps() -> dict[str, tuple[Definition, Definition]]:
    """Each map with the one task that it runs for a chunk."""
    return {
        name: (state, state["ItemProcessor"]["States"][state["ItemProcessor"]["StartAt"]])
        for name, state in definition()["States"].items()
        if state["Type"] == "Map"
    }


def execution_type(state: Definition) -> str:
    kind: str = state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"]
    return kind


def longest_wait(retrier: dict[str, Any]) -> float:
    """Seconds between all tries of a retrier, when no jitter shortens them."""
    pauses = (
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number, retrier["MaxDelaySeconds"])
        for number in range(retrier["MaxAttempts"])
    )
    return float(sum(pauses))


# --- soundness ---


def test_every_definition_is_deployed_and_sound() -> None:
    assert set(cfn.FUNCTIONS.glob("*/*.asl.json")) == set(declared()) == {DEFINITION}
    assert faults(definition()) == []


def test_a_sound_definition_passes() -> None:
    assert faults({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}) == []


def test_a_start_that_is_no_state_is_noticed() -> None:
    found = faults({"StartAt": "Nowhere", "States": {"Done": {"Type": "Succeed"}}})

    assert any("Nowhere" in fault for fault in found)


def parse_strictly(text: str) -> None:
    """Raise moto's parser's exception for what its grammar does not have."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    AmazonStateLanguageParser.parse(for_moto(text))


def test_a_strict_parser_takes_the_definition() -> None:
    parse_strictly(DEFINITION.read_text())


def test_a_strict_parser_refuses_a_field_of_no_state() -> None:
    with pytest.raises(Exception, match="MaxConcurrencyPaht"):
        parse_strictly(DEFINITION.read_text().replace("MaxConcurrencyPath", "MaxConcurrencyPaht"))


def test_every_substitution_is_given_and_used() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text()))

    assert used == set(declared()[DEFINITION]["DefinitionSubstitutions"])


# --- the same everywhere ---


def test_the_local_engine_ignores_no_field_that_matters() -> None:
    assert unread(definition()) == set()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ItemBatcher", {"MaxItemsPerBatch": 10}),
        ("ResultWriter", {}),
        ("ToleratedFailurePercentagePath", "$.tolerated"),
    ],
)
def test_a_field_of_a_map_that_it_ignores_is_noticed(field: str, value: Any) -> None:
    changed = definition()
    changed["States"]["Scan"][field] = value

    assert unread(changed) == {f"Scan.{field}"}


def test_a_field_of_a_task_in_a_map_that_it_ignores_is_noticed() -> None:
    changed = definition()
    changed["States"]["Scan"]["ItemProcessor"]["States"]["ScanChunk"]["HeartbeatSeconds"] = 5
    changed["TimeoutSeconds"] = 60

    assert unread(changed) == {"ScanChunk.HeartbeatSeconds", "TimeoutSeconds"}


# --- every way leads to an end ---


def test_whatever_fails_leads_to_abort() -> None:
    for name, state in definition()["States"].items():
        if state["Type"] in ("Task", "Map", "Parallel") and name != "Abort":
            assert state["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Abort"}


def test_a_failed_chunk_fails_no_other() -> None:
    assert [state["ToleratedFailurePercentage"] for state, _ in maps().values()] == [100, 100]


def test_the_results_of_all_chunks_stay_below_what_a_state_may_hand_on() -> None:
    """256 KiB for at most 10,000 chunks: each may say `{}` and no more."""
    for state, chunk in maps().values():
        assert chunk["OutputPath"] is None
        assert state["ResultPath"] is None


def test_each_kind_of_batch_is_worked_off_by_its_own_worker_and_all_else_is_the_same() -> None:
    choice = definition()["States"]["AnythingToScan"]
    of_kind = {one["StringEquals"]: one["Next"] for one in choice["Choices"] if one["Variable"] == "$.kind"}
    workers = {kind: called(maps()[of_kind.get(kind, choice["Default"])][1]) for kind in BATCHED}
    assert workers == {JobKind.DOMAIN_SCAN: "domain_scan_worker", JobKind.SITEMAP_SCAN: "sitemap_worker"}
    own = {"Comment", "Label", "ItemProcessor"}
    shared = [{name: value for name, value in state.items() if name not in own} for state, _ in maps().values()]
    assert shared[0] == shared[1]
    own = {"Comment", "Parameters", "TimeoutSeconds"}
    shared = [{name: value for name, value in chunk.items() if name not in own} for _, chunk in maps().values()]
    assert shared[0] == shared[1]


def test_nothing_to_do_is_seen_before_the_kind() -> None:
    first = definition()["States"]["AnythingToScan"]["Choices"][0]
    assert first == {"Variable": "$.chunks", "NumericEquals": 0, "Next": "Finish"}


def test_each_step_is_told_which_execution_it_is_of() -> None:
    """Plan's answer is what Finish is given; its name is of the engine's own, so that no input can lack it."""
    found = {name: state["Parameters"] for name, state in definition()["States"].items() if state["Type"] == "Task"}
    given = {name: parameters.get("Payload", {}).get("execution.$") for name, parameters in found.items()}
    assert given == {"Plan": "$$.Execution.Name", "Finish": None, "Abort": "$$.Execution.Name"}
    assert found["Finish"]["Payload.$"] == "$"


def test_passing_faults_are_tried_again_with_growing_scattered_pauses() -> None:
    for _, state in tasks():
        assert any(set(retrier["ErrorEquals"]) & (PASSING_FAULTS | {"States.ALL"}) for retrier in state["Retry"])
        for retrier in state["Retry"]:
            if retrier["MaxAttempts"]:
                assert retrier["JitterStrategy"] == "FULL"
                assert retrier["BackoffRate"] > 1
                assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]


# --- limits ---


def test_a_task_waits_longer_than_its_function_runs() -> None:
    for _, state in tasks():
        assert state["TimeoutSeconds"] > cfn.functions()[called(state)]["Timeout"]


def test_a_chunk_is_over_within_the_time_of_an_express_execution_or_is_none() -> None:
    for state, chunk in maps().values():
        longest = max(longest_wait(retrier) + chunk["TimeoutSeconds"] for retrier in chunk["Retry"])
        assert execution_type(state) == ("EXPRESS" if longest < EXPRESS_SECONDS else "STANDARD")
    assert {execution_type(state) for state, _ in maps().values()} == {"EXPRESS", "STANDARD"}


# --- rights ---


def test_the_state_machine_may_do_what_its_definition_asks_for_and_no_more() -> None:
    role = cfn.of_type("AWS::IAM::Role")["BatchWorkflowRole"]
    own = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    name = declared()[DEFINITION]["Name"]["Fn::Sub"]
    allowed = {
        (action, cfn.text(resource) if "Fn::Sub" in resource else cfn.target(resource))
        for statement in cfn.statements(role)
        if statement["Resource"] != ["*"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }

    assert allowed == {
        *(("lambda:InvokeFunction", cfn.logical_id(called(state))) for _, state in tasks()),
        ("s3:GetObject", "${BatchBucket.Arn}/batches/*"),
        ("states:StartExecution", f"{own}:stateMachine:{name}"),
        ("states:DescribeExecution", f"{own}:execution:{name}/*"),
        ("states:StopExecution", f"{own}:execution:{name}/*"),
    }


def test_only_step_functions_of_this_account_may_take_the_role() -> None:
    (statement,) = cfn.of_type("AWS::IAM::Role")["BatchWorkflowRole"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_state_machine_logs_its_failures_without_data() -> None:
    (machine,) = cfn.of_type("AWS::StepFunctions::StateMachine").values()
    logging = machine["LoggingConfiguration"]

    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    (destination,) = logging["Destinations"]
    assert cfn.target(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]) == "BatchWorkflowLogGroup"
