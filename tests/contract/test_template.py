"""template.yaml against the folders, the settings and the limits that it must agree with."""

import ast

import pytest

from contract import cloudformation as cfn
from contract.settings_use import LOCAL, variables_read
from scrapersky import event_bus, secret_store
from scrapersky.api import jwks
from scrapersky.api.parameters import MAX_WAIT_SECONDS
from scrapersky.db import connection, migrate
from scrapersky.domain import limits
from scrapersky.domain.status import JobKind
from scrapersky.places import client as places_client
from scrapersky.places import retrying
from scrapersky.scraping import politeness
from scrapersky.scraping.limits import POST_LIMITS, SITEMAP_LIMITS
from scrapersky.services import (
    canary,
    events,
    places_work,
    sitemap_lane,
    sitemap_reading,
    sitemap_work,
    webhook_work,
    work,
)
from scrapersky.settings import QUEUE_VARIABLES
from scrapersky_local.openapi import load_function

FOLDERS = sorted(path.parent.name for path in cfn.FUNCTIONS.glob("*/app.py"))
LEASE_MARGIN_SECONDS = 30  # a lease must outlive the worker that holds it
VISIBILITY_FACTOR = 6  # what Lambda asks of a queue that it polls
GATEWAY_SECONDS = 30  # the most an HTTP API waits for a function
AUTHORIZER_SECONDS = 10  # the most it waits for an authorizer
# Read by Powertools, not by scrapersky.settings; every function logs.
LOGGING_VARIABLES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE"}
ALLOCATOR_VARIABLES = {"MALLOC_ARENA_MAX"}  # read by the C library, of functions that run threads


def test_each_folder_is_one_function() -> None:
    assert sorted(cfn.functions()) == FOLDERS
    assert all(cfn.logical_id(cfn.folder_name(i)) == i for i in cfn.of_type("AWS::Lambda::Function"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_code_and_handler_are_there(folder: str) -> None:
    written = cfn.written()["Resources"][cfn.logical_id(folder)]["Properties"]
    module, name = cfn.functions()[folder]["Handler"].split(".")
    source = cfn.ROOT / written["CodeUri"] / f"{module}.py"

    assert source.parent == cfn.FUNCTIONS / folder
    assert name in {node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_function_runs_where_its_layers_were_built_for(folder: str) -> None:
    function = cfn.functions()[folder]
    layers = cfn.of_type("AWS::Lambda::LayerVersion")

    assert [layer["Ref"] for layer in function["Layers"]] == sorted(layers, reverse=True)
    for layer in layers.values():
        assert function["Runtime"] in layer["CompatibleRuntimes"]
        assert set(function["Architectures"]) <= set(layer["CompatibleArchitectures"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_environment_is_what_the_function_reads(folder: str) -> None:
    assert set(cfn.environment(folder)) - ALLOCATOR_VARIABLES == variables_read(folder) | LOGGING_VARIABLES
    assert cfn.environment(folder)["POWERTOOLS_SERVICE_NAME"] == folder


def test_no_deployment_can_be_told_that_it_is_local() -> None:
    text = cfn.TEMPLATE.read_text()

    assert {name for name in LOCAL if name in text} == set()


# --- queues and time ---


# Its messages are for people: their reasons are theirs to put right.
UNCONSUMED = {"BatchDeadLetterQueue", "EventDeadLetterQueue", "WebhookDeadLetterQueue"}


def test_every_queue_has_a_consumer_and_a_way_out() -> None:
    queues = cfn.of_type("AWS::SQS::Queue")
    dead = {cfn.target(q["RedrivePolicy"]["deadLetterTargetArn"]) for q in queues.values() if "RedrivePolicy" in q}

    assert set(cfn.consumed_queues()) == set(queues) - UNCONSUMED
    assert dead >= UNCONSUMED
    assert {name for name, queue in queues.items() if "RedrivePolicy" not in queue} == dead


def test_a_dead_message_is_kept_longer_than_it_can_have_waited() -> None:
    queues = cfn.of_type("AWS::SQS::Queue")
    for queue in queues.values():
        if "RedrivePolicy" in queue:
            dead = queues[cfn.target(queue["RedrivePolicy"]["deadLetterTargetArn"])]
            assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


def test_a_message_stays_hidden_while_its_consumer_may_run() -> None:
    for queue, folder in cfn.consumed_queues().items():
        visibility = cfn.of_type("AWS::SQS::Queue")[queue]["VisibilityTimeout"]

        assert visibility >= VISIBILITY_FACTOR * cfn.functions()[folder]["Timeout"]


def test_a_webhook_worker_has_time_for_a_try_and_its_lease_for_storing_it() -> None:
    environment = cfn.environment("webhook_worker")
    one_try = POST_LIMITS.seconds + webhook_work.STORE_SECONDS
    assert int(environment["WEBHOOK_LEASE_SECONDS"]) >= one_try + connection.RETRY_SECONDS
    assert cfn.functions()["webhook_worker"]["Timeout"] >= 2 * one_try  # what waits is worked off, too
    assert cfn.target(environment["WEBHOOK_MAXIMUM_CONCURRENCY"]) == "WebhookMaximumConcurrency"
    (mapping,) = (
        mapping
        for mapping in cfn.of_type("AWS::Lambda::EventSourceMapping").values()
        if cfn.target(mapping["FunctionName"]) == "WebhookWorkerFunction"
    )
    assert cfn.target(mapping["ScalingConfig"]["MaximumConcurrency"]) == "WebhookMaximumConcurrency"


def test_a_message_that_waits_for_its_batch_stays_hidden_for_that_too() -> None:
    for mapping in cfn.of_type("AWS::Lambda::EventSourceMapping").values():
        queue = cfn.of_type("AWS::SQS::Queue")[cfn.target(mapping["EventSourceArn"])]
        function = cfn.functions()[cfn.folder_name(cfn.target(mapping["FunctionName"]))]
        waits = VISIBILITY_FACTOR * function["Timeout"] + mapping.get("MaximumBatchingWindowInSeconds", 0)

        assert queue["VisibilityTimeout"] >= waits


def test_a_lease_outlives_its_worker_and_ends_before_the_next_delivery() -> None:
    worker = "domain_scan_worker"
    lease = int(cfn.environment(worker)["SCAN_LEASE_SECONDS"])

    assert lease == cfn.functions()[worker]["Timeout"] + LEASE_MARGIN_SECONDS
    assert lease < cfn.of_type("AWS::SQS::Queue")["ScanQueue"]["VisibilityTimeout"]


def test_a_sitemap_lease_is_renewed_in_time_and_leaves_a_lost_worker_soon() -> None:
    worker = "sitemap_worker"
    lease = int(cfn.environment(worker)["SITEMAP_LEASE_SECONDS"])

    # A renewal that is tried as long as a transaction is tried still comes before the end, with another one to spare.
    assert lease > 2 * (sitemap_reading.RENEW_SECONDS + connection.RETRY_SECONDS)
    assert lease < cfn.functions()[worker]["Timeout"]


def test_a_sitemap_worker_has_the_time_that_a_file_and_a_site_of_a_batch_may_take() -> None:
    left = cfn.functions()["sitemap_worker"]["Timeout"] - sitemap_work.STORE_SECONDS

    assert left > SITEMAP_LIMITS.seconds + sitemap_lane.MIN_FILE_SECONDS
    assert left > sitemap_lane.SITE_SECONDS + sitemap_lane.MIN_FILE_SECONDS
    assert left > politeness.MAX_PAUSE_SECONDS + sitemap_lane.DISCOVERY_SECONDS


def test_a_places_lease_outlives_the_wait_before_it_is_renewed_and_leaves_a_lost_worker_soon() -> None:
    worker = "places_search_worker"
    lease = int(cfn.environment(worker)["PLACES_LEASE_SECONDS"])
    request = places_client.CONNECT_SECONDS + places_client.ANSWER_SECONDS

    # It is renewed before each request: after that are its answer, how that is stored, and the wait for another try.
    assert lease > request + connection.RETRY_SECONDS + retrying.MAX_WAIT_SECONDS
    assert lease < cfn.functions()[worker]["Timeout"]


def test_a_places_worker_has_the_time_that_the_largest_search_takes() -> None:
    left = cfn.functions()["places_search_worker"]["Timeout"] - places_work.STORE_SECONDS

    assert left > limits.MAX_SPLIT_REQUESTS + places_client.ANSWER_SECONDS  # a second each, as Google answers


def test_a_search_waits_for_no_other_in_its_worker() -> None:
    (mapping,) = (
        mapping
        for mapping in cfn.of_type("AWS::Lambda::EventSourceMapping").values()
        if cfn.target(mapping["FunctionName"]) == "PlacesSearchWorkerFunction"
    )

    assert mapping["BatchSize"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_whether_there_is_a_key_is_told_to_whom_searches_are_asked_of() -> None:
    told = {
        folder: cfn.environment(folder)["PLACES_ARE_CONFIGURED"]
        for folder in FOLDERS
        if "PLACES_ARE_CONFIGURED" in cfn.environment(folder)
    }

    switch = {"Fn::If": ["HasPlacesKey", "1", "0"]}
    assert told == {"jobs_api": switch, "places_search_api": switch}
    assert cfn.written()["Conditions"]["HasPlacesKey"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "PlacesKeySecretArn"}, ""]}]
    }
    assert cfn.environment("places_search_worker")["PLACES_KEY_SECRET_ARN"]["Fn::If"][0] == "HasPlacesKey"


@pytest.mark.parametrize("worker", ["domain_scan_worker", "sitemap_worker"])
def test_a_batch_of_sites_is_scanned_at_once(worker: str) -> None:
    (mapping,) = (
        mapping
        for mapping in cfn.of_type("AWS::Lambda::EventSourceMapping").values()
        if cfn.target(mapping["FunctionName"]) == cfn.logical_id(worker)
    )

    assert mapping["BatchSize"] == int(cfn.environment(worker)["MAX_CONCURRENT_SITES"])
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_round_is_planned_for_the_worker_that_runs_it() -> None:
    planned = cfn.environment("batch_plan")

    assert planned["MAX_CONCURRENT_SITES"] == cfn.environment("domain_scan_worker")["MAX_CONCURRENT_SITES"]
    assert planned["MAX_CONCURRENT_SITEMAP_SITES"] == cfn.environment("sitemap_worker")["MAX_CONCURRENT_SITES"]


def test_every_kind_of_job_has_a_queue_of_its_own() -> None:
    named = {kind: QUEUE_VARIABLES[kind] for kind in JobKind}
    queues = {kind: cfn.target(cfn.environment("sweeper")[name]) for kind, name in named.items()}
    worked_off = {kind: cfn.consumed_queues()[queue] for kind, queue in queues.items()}
    dead = [cfn.of_type("AWS::SQS::Queue")[queue]["RedrivePolicy"]["deadLetterTargetArn"] for queue in queues.values()]

    assert worked_off == {
        JobKind.DOMAIN_SCAN: "domain_scan_worker",
        JobKind.SITEMAP_SCAN: "sitemap_worker",
        JobKind.PLACES_SEARCH: "places_search_worker",
    }
    assert {cfn.consumed_queues()[cfn.target(arn)] for arn in dead} == {"dead_letter"}


def test_what_a_function_waits_for_ends_before_the_function() -> None:
    timeout = {folder: function["Timeout"] for folder, function in cfn.functions().items()}

    assert all(
        timeout[folder] > max(connection.RETRY_SECONDS, secret_store.TRIES * secret_store.ANSWER_SECONDS)
        for folder in FOLDERS
        if "DATABASE_SECRET_ARN" in cfn.environment(folder)
    )
    assert timeout["migrate"] > migrate.ANSWER_SECONDS
    authorizer = load_function(cfn.FUNCTIONS / "authorizer")
    assert timeout["authorizer"] > secret_store.TRIES * authorizer.SECRET_ANSWER_SECONDS
    assert timeout["authorizer"] > jwks.FETCH_SECONDS + jwks.WAIT_SECONDS
    assert timeout["domain_scan_worker"] > work.JOB_SECONDS + work.STORE_SECONDS


def test_a_dispatcher_that_took_events_at_the_last_moment_has_the_time_to_hand_them_on() -> None:
    dispatcher = load_function(cfn.FUNCTIONS / "event_dispatcher")
    last_call = event_bus.TRIES * (event_bus.CONNECT_SECONDS + event_bus.ANSWER_SECONDS)

    assert events.BUS_GRACE_SECONDS + last_call < dispatcher.RESERVE_SECONDS
    assert cfn.functions()["event_dispatcher"]["Timeout"] > 2 * dispatcher.RESERVE_SECONDS


def test_a_worker_that_waits_for_a_host_outlives_its_pause() -> None:
    worker = cfn.functions()["domain_scan_worker"]
    patience = worker["Timeout"] - work.STORE_SECONDS - work.MIN_JOB_SECONDS - work.RENEW_SECONDS
    assert patience > politeness.MAX_PAUSE_SECONDS


def test_a_held_answer_leaves_before_the_function_ends_and_the_function_before_the_gateway() -> None:
    for folder, function in cfn.functions().items():
        if folder.endswith("_api"):
            assert MAX_WAIT_SECONDS < function["Timeout"] < GATEWAY_SECONDS
    assert cfn.functions()["authorizer"]["Timeout"] < AUTHORIZER_SECONDS


def test_what_is_scheduled_is_over_before_it_is_due_again() -> None:
    rates = {
        cfn.folder_name(cfn.target(schedule["Target"]["Arn"])): schedule["ScheduleExpression"]
        for schedule in cfn.of_type("AWS::Scheduler::Schedule").values()
    }
    shortest = cfn.written()["Parameters"]["CanaryMinutes"]["MinValue"]

    assert rates == {"sweeper": "rate(1 minute)", "canary": {"Fn::Sub": "rate(${CanaryMinutes} minutes)"}}
    assert cfn.functions()["sweeper"]["Timeout"] < 60
    assert cfn.functions()["canary"]["Timeout"] < 60 * shortest


def test_a_canary_has_the_time_that_a_scan_may_take() -> None:
    reserve = load_function(cfn.FUNCTIONS / "canary").RESERVE_SECONDS

    assert cfn.functions()["canary"]["Timeout"] - reserve > work.JOB_SECONDS + canary.ANSWER_SECONDS
