"""Who may do what: each role holds what its function's code uses and nothing else, and what is kept is locked."""

import json
import re
from typing import Any

import pytest

from contract import cloudformation as cfn
from contract.settings_use import names_reached

FOLDERS = sorted(path.parent.name for path in cfn.FUNCTIONS.glob("*/app.py"))
WORKFLOW = "BatchWorkflowRole"
SCHEDULERS = {  # made by the SAM transform; which function each may invoke
    "SweeperFunctionEveryMinuteRole": "SweeperFunction",
    "CanaryFunctionEveryFewMinutesRole": "CanaryFunction",
}
# Every resource of a permission that is wider than one thing, with why it cannot be narrower.
WIDE = {
    ("BatchScanApiRole", "${BatchBucket.Arn}/exports/*"): "objects that have no names yet",
    ("SitemapApiRole", "${BatchBucket.Arn}/exports/*"): "objects that have no names yet",
    ("BatchPlanRole", "${BatchBucket.Arn}/batches/*"): "objects that have no names yet",
    (WORKFLOW, "${BatchBucket.Arn}/batches/*"): "objects that have no names yet",
    (
        WORKFLOW,
        "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${AWS::StackName}-batch/*",
    ): "executions of the map, which have no names yet",
    (WORKFLOW, "*"): "what a state machine needs to write logs; AWS knows no narrower resource for it",
}
LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
# What a function does in the bucket, and under which names.
OBJECTS = {
    "batch_plan": ("/batches/*", {"s3:PutObject"}),
    "batch_scan_api": ("/exports/*", {"s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"}),
    "sitemap_api": ("/exports/*", {"s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"}),
}
# The names in the code that lead to a service of AWS, with the action that shows the service in a role.
PORTS = {
    ("scrapersky.secret_store", "secret"): "secretsmanager:GetSecretValue",
    ("scrapersky.wiring", "sqs"): "sqs:SendMessage",
    ("scrapersky.wiring", "eventbridge"): "events:PutEvents",
    ("scrapersky.wiring", "s3"): "s3:PutObject",
    ("scrapersky.wiring", "step_functions"): "states:StartExecution",
}


def roles() -> dict[str, dict[str, Any]]:
    return cfn.of_type("AWS::IAM::Role")


def role_of(folder: str) -> str:
    return cfn.target(cfn.functions()[folder]["Role"])


# --- permissions ---


def test_every_role_belongs_to_one_function_the_state_machine_or_the_schedule() -> None:
    of_functions = [role_of(folder) for folder in FOLDERS]
    assert len(set(of_functions)) == len(of_functions)
    assert set(roles()) == {*of_functions, WORKFLOW, *SCHEDULERS}


@pytest.mark.parametrize("role", sorted(roles()))
def test_a_role_is_for_one_service_and_has_its_own_policies_alone(role: str) -> None:
    service = {WORKFLOW: "states", **dict.fromkeys(SCHEDULERS, "scheduler")}.get(role, "lambda")
    (trust,) = roles()[role]["AssumeRolePolicyDocument"]["Statement"]
    principal = trust["Principal"]["Service"]
    assert (principal if isinstance(principal, list) else [principal]) == [f"{service}.amazonaws.com"]
    # AWS's own policies cover every log group, queue or secret.
    assert not {"ManagedPolicyArns", "PermissionsBoundary"} & set(roles()[role])


def test_nobody_is_allowed_all_actions_or_more_than_one_thing_but_for_a_reason() -> None:
    wide = set()
    for role, properties in roles().items():
        for statement in cfn.statements(properties):
            assert statement["Effect"] == "Allow"
            assert set(statement) <= {"Effect", "Action", "Resource"}  # neither NotAction nor NotResource
            assert not any("*" in action for action in statement["Action"])
            wide |= {(role, text) for text in map(cfn.text, statement["Resource"]) if "*" in text}
    assert wide == set(WIDE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_function_may_do_what_its_environment_and_events_ask_for_and_no_more(folder: str) -> None:
    group = cfn.logical_id(folder).removesuffix("Function") + "LogGroup"
    needed = {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}
    for name, value in cfn.environment(folder).items():
        given = value["Fn::If"][1] if "Fn::If" in value else value
        if name.endswith("_SECRET_ARN"):
            needed.add(("secretsmanager:GetSecretValue", cfn.target(given)))
        elif name.endswith("_QUEUE_URL"):
            needed.add(("sqs:SendMessage", cfn.target(given)))
        elif name == "EVENT_BUS_NAME":
            needed.add(("events:PutEvents", cfn.target(given)))
        elif name.endswith("_STATE_MACHINE_ARN"):
            needed.add(("states:StartExecution", cfn.target(given)))
        elif name.endswith("_BUCKET"):
            needed |= {(action, cfn.target(given)) for action in OBJECTS[folder][1]}
    for queue, consumer in cfn.consumed_queues().items():
        if consumer == folder:
            needed |= {(f"sqs:{verb}", queue) for verb in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}

    assert cfn.allowed(folder) == needed


@pytest.mark.parametrize("folder", FOLDERS)
def test_function_may_use_the_services_that_its_code_reaches_and_no_other(folder: str) -> None:
    reached = names_reached(folder)
    actions = {action for action, _ in cfn.allowed(folder)}

    assert {action for action in actions if action in PORTS.values()} == {
        action for name, action in PORTS.items() if name in reached
    }


@pytest.mark.parametrize("folder", OBJECTS)
def test_function_reaches_its_own_objects_of_the_bucket_alone(folder: str) -> None:
    names = {
        cfn.widened(resource)
        for statement in cfn.statements(roles()[role_of(folder)])
        if statement["Action"][0].startswith("s3:")
        for resource in statement["Resource"]
    }

    assert names == {OBJECTS[folder][0]}


def test_the_state_machine_may_run_its_steps_read_its_lists_and_log() -> None:
    (machine,) = cfn.of_type("AWS::StepFunctions::StateMachine").values()
    substituted = machine["DefinitionSubstitutions"]
    steps = {cfn.target(arn) for name, arn in substituted.items() if name.endswith("FunctionArn")}
    definition = (cfn.FUNCTIONS / "batch_workflow" / "definition.asl.json").read_text()
    used = set(re.findall(r"\$\{(\w+)FunctionArn\}", definition))
    allowed: dict[str, set[str]] = {}
    for statement in cfn.statements(roles()[WORKFLOW]):
        for action in statement["Action"]:
            allowed.setdefault(action, set()).update(map(cfn.text, statement["Resource"]))

    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:"
    assert {f"{name}Function" for name in used} == steps
    assert allowed.pop("lambda:InvokeFunction") == {str({"Fn::GetAtt": [name, "Arn"]}) for name in steps}
    assert allowed.pop("s3:GetObject") == {"${BatchBucket.Arn}/batches/*"}
    assert allowed.pop("states:StartExecution") == {f"{arn}stateMachine:${{AWS::StackName}}-batch"}
    for action in ("states:DescribeExecution", "states:StopExecution"):
        assert allowed.pop(action) == {f"{arn}execution:${{AWS::StackName}}-batch/*"}
    assert allowed == {action: {"*"} for action in LOG_DELIVERY}


def test_the_state_machine_is_assumed_for_this_account_alone() -> None:
    (trust,) = roles()[WORKFLOW]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize("role", SCHEDULERS)
def test_a_schedule_may_invoke_its_function_and_nothing_else(role: str) -> None:
    allowed = [
        (action, cfn.target(resource))
        for statement in cfn.statements(roles()[role])
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]
    assert allowed == [("lambda:InvokeFunction", SCHEDULERS[role])]


def test_only_the_gateway_may_invoke_a_function_from_outside() -> None:
    for permission in cfn.of_type("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["Action"] == "lambda:InvokeFunction"
        assert "HttpApi" in json.dumps(permission["SourceArn"])
    assert cfn.of_type("AWS::Lambda::Url") == {}


# --- secrets ---


def test_only_migrate_reads_the_owners_secret_and_no_other_one() -> None:
    readers = {
        folder: {resource for action, resource in cfn.allowed(folder) if action == "secretsmanager:GetSecretValue"}
        for folder in FOLDERS
    }
    assert readers.pop("migrate") == {"MigrationDatabaseSecretArn"}
    assert readers.pop("authorizer") == {"JwtSecretArn"}
    assert readers.pop("canary") == {"CanaryTokenSecretArn"}
    assert readers.pop("console") == set()
    assert readers.pop("webhook_worker") == {"DatabaseSecretArn", "WebhookKeySecret"}
    assert readers.pop("webhooks_api") == {"DatabaseSecretArn", "WebhookKeySecret"}
    assert readers.pop("places_search_worker") == {"DatabaseSecretArn", "PlacesKeySecretArn"}
    assert set(map(frozenset, readers.values())) == {frozenset({"DatabaseSecretArn"})}


def test_no_secret_is_a_parameter_or_a_variable_itself() -> None:
    secrets = {name for name in cfn.written()["Parameters"] if re.search("(?i)secret|password|token|key", name)}
    assert secrets == {
        "DatabaseSecretArn",
        "MigrationDatabaseSecretArn",
        "JwtSecretArn",
        "PlacesKeySecretArn",
        "CanaryTokenSecretArn",
    }
    for name in secrets:
        pattern = cfn.written()["Parameters"][name]["AllowedPattern"]
        assert re.fullmatch(pattern, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-AbCdEf")
        assert not re.fullmatch(pattern, "postgresql://app:secret@db.example/app")
    for folder in FOLDERS:
        assert {name for name in cfn.environment(folder) if re.search("SECRET|PASSWORD|DSN", name)} <= {
            "DATABASE_SECRET_ARN",
            "MIGRATION_DATABASE_SECRET_ARN",
            "JWT_SECRET_ARN",
            "PLACES_KEY_SECRET_ARN",
            "CANARY_TOKEN_SECRET_ARN",
            "WEBHOOK_KEY_SECRET_ARN",
        }


def test_the_key_of_webhook_secrets_is_made_once_and_outlives_the_stack() -> None:
    ((name, secret),) = (
        (name, resource)
        for name, resource in cfn.written()["Resources"].items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    )
    assert name == "WebhookKeySecret"
    assert {secret[policy] for policy in ("DeletionPolicy", "UpdateReplacePolicy")} == {"Retain"}
    generated = secret["Properties"]["GenerateSecretString"]
    assert generated["PasswordLength"] >= 44  # of letters and digits: 256 bits and more
    assert "SecretString" not in secret["Properties"]


# --- what is kept ---


def test_every_queue_is_encrypted_and_takes_requests_over_tls_alone() -> None:
    queues = cfn.of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    (policy,) = cfn.of_type("AWS::SQS::QueuePolicy").values()
    assert {cfn.target(queue) for queue in policy["Queues"]} == set(queues)
    assert policy["PolicyDocument"]["Statement"] == [without_tls("sqs:*", "*")]


def test_the_bucket_is_private_encrypted_emptied_and_reached_over_tls_alone() -> None:
    ((name, bucket),) = cfn.of_type("AWS::S3::Bucket").items()

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == {"Ref": "BatchFileExpiryDays"}
    (policy,) = cfn.of_type("AWS::S3::BucketPolicy").values()
    assert cfn.target(policy["Bucket"]) == name
    objects = [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]
    assert policy["PolicyDocument"]["Statement"] == [without_tls("s3:*", objects)]


def without_tls(action: str, resource: Any) -> dict[str, Any]:
    """The statement that refuses everybody who does not use TLS."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
