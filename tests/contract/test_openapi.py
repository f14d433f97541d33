"""The OpenAPI document: fresh, whole, and true to the models and routes that it describes."""

import csv
import json
import time
from collections.abc import Iterator
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from scrapersky.api import (
    batch_examples,
    batch_schemas,
    delivery_schemas,
    document,
    examples,
    place_schemas,
    places_schemas,
    result_schemas,
    schemas,
    sitemap_examples,
    sitemap_schemas,
    sitemap_site_schemas,
    webhook_events,
    webhook_examples,
    webhook_schemas,
)
from scrapersky.api.app import create_app
from scrapersky.api.export_lines import COLUMNS
from scrapersky.domain.events import EventType
from scrapersky.domain.facts import Evidence, PageRecord, SiteData, Technology
from scrapersky.domain.sitemap_views import URL_COLUMNS
from scrapersky.domain.webhooks import signed_headers
from scrapersky.scraping import findings
from scrapersky.scraping.crawl import Stopped
from scrapersky.scraping.extras import ExtraKind
from scrapersky.scraping.fetch import Fetched, Fetcher
from scrapersky.scraping.guard import NetworkPolicy
from scrapersky.scraping.page import parse_page
from scrapersky.scraping.site import scan_site
from scrapersky_local.openapi import Conflict, build, main, merge

PUBLIC = {"/health", "/health/database", "/openapi.json", "/docs", "/", "/console/{file}"}
ROUTES = {
    ("post", "/api/v3/modernized_page_scraper/scan"),
    ("get", "/api/v3/modernized_page_scraper/status/{job_id}"),
    ("post", "/api/v3/batch_page_scraper/scan"),
    ("get", "/api/v3/batch_page_scraper/status/{job_id}"),
    ("post", "/api/v3/batch_page_scraper/batch"),
    ("get", "/api/v3/batch_page_scraper/batch"),
    ("get", "/api/v3/batch_page_scraper/batch/{batch_id}/status"),
    ("get", "/api/v3/batch_page_scraper/batch/{batch_id}/jobs"),
    ("get", "/api/v3/batch_page_scraper/batch/{batch_id}/results"),
    ("post", "/api/v3/batch_page_scraper/batch/{batch_id}/cancel"),
    ("post", "/api/v3/batch_page_scraper/batch/{batch_id}/retry"),
    ("post", "/api/v3/sitemap/scan"),
    ("get", "/api/v3/sitemap/scan/{job_id}/urls"),
    ("get", "/api/v3/sitemap/scan/{job_id}/urls/export"),
    ("get", "/api/v3/sitemap/scan/{job_id}/changes"),
    ("get", "/api/v3/sitemap/status/{job_id}"),
    ("post", "/api/v3/sitemap/batch/create"),
    ("get", "/api/v3/sitemap/batch/status/{batch_id}"),
    ("get", "/api/v3/sitemap/sites/{domain}/summary"),
    ("get", "/api/v3/sitemap-files"),
    ("get", "/api/v3/sitemap-files/{file_id}"),
    ("get", "/api/v3/sitemap-files/{file_id}/urls"),
    ("get", "/api/v3/sitemap-files/{file_id}/urls/export"),
    ("post", "/api/v3/localminer-discoveryscan/search/places"),
    ("get", "/api/v3/localminer-discoveryscan/search/status/{job_id}"),
    ("get", "/api/v3/localminer-discoveryscan/search/history"),
    ("get", "/api/v3/localminer-discoveryscan/results/{job_id}"),
    ("post", "/api/v3/localminer-discoveryscan/results/{job_id}/scan"),
    ("put", "/api/v3/places/staging/status"),
    ("get", "/api/v3/places/ledger"),
    ("post", "/api/v3/webhooks"),
    ("get", "/api/v3/webhooks"),
    ("get", "/api/v3/webhooks/{webhook_id}"),
    ("patch", "/api/v3/webhooks/{webhook_id}"),
    ("delete", "/api/v3/webhooks/{webhook_id}"),
    ("post", "/api/v3/webhooks/{webhook_id}/rotate-secret"),
    ("post", "/api/v3/webhooks/{webhook_id}/test"),
    ("get", "/api/v3/webhooks/{webhook_id}/deliveries"),
    ("post", "/api/v3/webhooks/{webhook_id}/replay"),
    ("get", "/api/v3/webhooks/deliveries/{delivery_id}"),
    ("post", "/api/v3/webhooks/deliveries/{delivery_id}/replay"),
    ("get", "/api/v3/events"),
    ("get", "/api/v3/jobs"),
    ("get", "/api/v3/jobs/{job_id}"),
    ("post", "/api/v3/jobs/{job_id}/cancel"),
    ("post", "/api/v3/jobs/{job_id}/retry"),
    ("get", "/api/v3/domains"),
    ("get", "/api/v3/domains/{domain}"),
    ("get", "/health"),
    ("get", "/health/database"),
    ("get", "/openapi.json"),
    ("get", "/docs"),
    ("get", "/"),
    ("get", "/console/{file}"),
}

MODELS = (
    schemas,
    result_schemas,
    batch_schemas,
    sitemap_schemas,
    sitemap_site_schemas,
    places_schemas,
    place_schemas,
    webhook_schemas,
    delivery_schemas,
    webhook_events,
)
DOCUMENT: dict[str, Any] = json.loads(document.text())


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` at the top of a value leads to."""
    target = value.get("$ref")
    if target is None:
        return value
    found: Any = DOCUMENT
    for part in target.removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found)


def each(method_path_operation: tuple[str, str, dict[str, Any]]) -> str:
    return f"{method_path_operation[0]} {method_path_operation[1]}"


SUCCESSES = ("200", "201", "202", "204")
every_operation = pytest.mark.parametrize("method_path_operation", list(operations()), ids=each)


def test_the_committed_document_is_fresh() -> None:
    assert main(["--check"]) == 0


def test_building_it_twice_gives_the_same() -> None:
    assert build() == build()


def test_it_is_openapi_3_1_and_behind_a_bearer_token() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["security"] == [{"bearer": []}]
    assert DOCUMENT["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_route_of_the_contract_is_described_and_no_other() -> None:
    assert {(method, path) for method, path, _ in operations()} == ROUTES


def test_only_the_public_paths_do_without_a_token() -> None:
    assert {path for _, path, operation in operations() if operation.get("security") == []} == PUBLIC


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


@every_operation
def test_an_operation_says_what_it_answers_with_an_example_that_fits(
    method_path_operation: tuple[str, str, dict[str, Any]],
) -> None:
    _, _, operation = method_path_operation
    assert operation["summary"]
    assert operation["tags"]
    ((status, success),) = [item for item in operation["responses"].items() if item[0] in SUCCESSES]
    assert bool(success.get("content")) == (status != "204")
    for content in success.get("content", {}).values():
        assert_examples_fit(content)


@every_operation
def test_an_operation_says_which_problems_it_ends_in(method_path_operation: tuple[str, str, dict[str, Any]]) -> None:
    method, path, operation = method_path_operation
    responses = operation["responses"]
    expected = {"405", "500", "503"}
    if path not in PUBLIC:
        expected.add("401")
    if operation.get("parameters") or operation.get("requestBody"):
        expected.add("422")
    if "{" in path:
        expected.add("404")
    if method in ("post", "put", "patch"):
        expected |= {"400", "403", "413", "415"}
    assert expected <= set(responses)
    for status in expected:
        assert "application/problem+json" in resolved(responses[status])["content"]


@every_operation
def test_an_operation_says_what_the_gateway_answers_by_itself(
    method_path_operation: tuple[str, str, dict[str, Any]],
) -> None:
    _, _, operation = method_path_operation
    failures = {status: response for status, response in operation["responses"].items() if status >= "400"}
    of_gateway = {
        status for status, response in failures.items() if "application/json" in resolved(response)["content"]
    }
    assert of_gateway - {"413"} == {"429", "500", "503"}
    assert set(resolved(failures["429"])["content"]) == {"application/json"}


def test_what_an_answer_always_carries_is_required() -> None:
    answers = DOCUMENT["components"]["responses"]
    required = {
        name: [h for h, header in answer.get("headers", {}).items() if header.get("required")]
        for name, answer in answers.items()
    }
    assert {name: headers for name, headers in required.items() if headers} == {
        "Problem401": ["WWW-Authenticate"],
        "Problem405": ["Allow"],
        "Problem415": ["Accept-Post"],
    }


@every_operation
def test_what_is_asked_for_is_described(method_path_operation: tuple[str, str, dict[str, Any]]) -> None:
    _, path, operation = method_path_operation
    parameters = operation.get("parameters", [])
    assert all(parameter["description"] for parameter in parameters)
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "path"} == {
        part.strip("{}") for part in path.split("/") if part.startswith("{")
    }


def test_starting_work_says_where_to_follow_it() -> None:
    accepted = [operation["responses"]["202"] for _, _, operation in operations() if "202" in operation["responses"]]
    assert len(accepted) == 12
    assert all(set(response["headers"]) == {"Location", "Retry-After"} for response in accepted)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["responses"]))
def test_a_problem_has_an_example_that_fits(name: str) -> None:
    for content in DOCUMENT["components"]["responses"][name]["content"].values():
        assert_examples_fit(content)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v3/modernized_page_scraper/scan"),
        ("post", "/api/v3/batch_page_scraper/batch"),
        ("post", "/api/v3/batch_page_scraper/batch/{batch_id}/retry"),
        ("post", "/api/v3/sitemap/scan"),
        ("post", "/api/v3/sitemap/batch/create"),
        ("post", "/api/v3/localminer-discoveryscan/search/places"),
        ("post", "/api/v3/localminer-discoveryscan/results/{job_id}/scan"),
        ("put", "/api/v3/places/staging/status"),
        ("post", "/api/v3/webhooks"),
        ("patch", "/api/v3/webhooks/{webhook_id}"),
        ("post", "/api/v3/webhooks/{webhook_id}/replay"),
    ],
)
def test_a_request_example_fits(method: str, path: str) -> None:
    assert_examples_fit(DOCUMENT["paths"][path][method]["requestBody"]["content"]["application/json"])


@pytest.mark.parametrize("event_type", sorted(EventType))
def test_what_is_sent_for_a_type_of_event_is_described_with_an_example_that_fits(event_type: EventType) -> None:
    post = DOCUMENT["webhooks"][event_type]["post"]
    assert_examples_fit(post["requestBody"]["content"]["application/json"])
    payload = webhook_examples.PAYLOADS[event_type]
    assert (
        webhook_events.payload_model(event_type).model_validate(payload).model_dump(mode="json")["type"] == event_type
    )
    assert {parameter["name"] for parameter in post["parameters"]} == set(
        signed_headers([b"key"], event_id=UUID(int=1), timestamp=0, body=b"")
    )
    assert post["security"] == []


def test_every_type_of_event_is_described_and_all_but_the_test_can_be_asked_for() -> None:
    assert set(DOCUMENT["webhooks"]) == set(EventType)
    assert set(get_args(webhook_schemas.SubscribedType)) == set(EventType) - {EventType.WEBHOOK_TEST}
    assert list(get_args(webhook_schemas.SubscribedType)) == list(webhook_schemas.SUBSCRIBED)


def test_the_examples_of_exported_lines_fit() -> None:
    lines = batch_examples.RESULTS["application/x-ndjson"]["examples"]["lines"]["value"].splitlines()
    shown = [schemas.JobDetail.model_validate_json(line) for line in lines]
    assert [json.loads(job.model_dump_json(exclude_unset=True)) for job in shown] == [
        json.loads(line) for line in lines
    ]

    header, row = csv.reader(batch_examples.RESULTS["text/csv"]["examples"]["lines"]["value"].splitlines())
    assert (header, len(row)) == (list(COLUMNS), len(COLUMNS))


def test_the_example_of_a_failed_job_is_what_becomes_of_a_name_that_nobody_knows() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError(f"no address for {host}:{port}")

    reported: list[float] = []
    scan = scan_site(
        examples.JOB_FAILED["domain"],
        max_pages=10,
        fetcher=Fetcher(policy=NetworkPolicy(), user_agent="ScraperSky/1.0", resolver=unknown),
        deadline=time.monotonic() + 10,
        should_stop=lambda: False,
        on_progress=reported.append,
    )
    assert scan.error is not None
    assert examples.JOB_FAILED["error"] == {
        "code": scan.error.code.value,
        "message": scan.error.message,
        "retryable": scan.error.code.retryable,
    }
    asked, found = {"base_url", "max_pages"}, examples.JOB_FAILED["metadata"]
    assert {name: scan.metadata[name] for name in found.keys() - asked} == {
        name: found[name] for name in found.keys() - asked
    }
    assert reported == []
    assert examples.JOB_FAILED["progress"] == 0.0


def test_the_example_of_a_cancelled_job_is_of_one_whose_scan_told_nothing_more() -> None:
    # Who cancels writes the end; what the scan would say of itself is no more taken.
    assert examples.JOB_CANCELLED["metadata"].keys() == {"base_url", "max_pages"}
    assert 0 < examples.JOB_CANCELLED["progress"] < 100


def test_the_exported_jobs_are_those_of_the_batchs_status() -> None:
    lines = batch_examples.RESULTS["application/x-ndjson"]["examples"]["lines"]["value"].splitlines()
    for job in map(json.loads, lines):
        state = batch_examples.BATCH_STATUS["domain_statuses"][job["domain"]]
        assert (job["job_id"], job["status"], job["error"]) == (state["job_id"], state["status"], state["error"])
        assert job["metadata"]["base_url"] == job["domain"]


def test_no_two_models_share_a_name() -> None:
    names = [
        name
        for module in MODELS
        for name, model in vars(module).items()
        if is_model(model) and model.__module__ == module.__name__
    ]
    assert len(names) == len(set(names)) > 40


def test_the_lines_of_exported_urls_are_of_the_url_that_is_listed() -> None:
    lines = {kind: content["examples"]["lines"]["value"] for kind, content in sitemap_examples.EXPORT.items()}
    shown = {name: sitemap_examples.URL[name] for name in URL_COLUMNS}
    assert json.loads(lines["application/x-ndjson"]) == shown
    header, row = csv.reader(lines["text/csv"].splitlines())
    assert header == list(URL_COLUMNS)
    assert row == [str(value) for value in shown.values()]
    assert lines["text/plain"] == f"{shown['url']}\n"


def is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def assert_examples_fit(content: dict[str, Any]) -> None:
    """Hold the examples to the model that the schema names: what the model makes of one is that one again."""
    assert content["examples"]
    values = [example["value"] for example in content["examples"].values()]
    target = content["schema"].get("$ref")
    if target is not None:
        name = target.rsplit("/", 1)[1]
        (model,) = {vars(module)[name] for module in MODELS if name in vars(module)}
        values = [json.loads(model.model_validate(value).model_dump_json(exclude_unset=True)) for value in values]
    assert values == [example["value"] for example in content["examples"].values()]


def test_the_example_of_a_site_is_what_a_scan_makes_of_such_a_page() -> None:
    example = examples.SITE_DATA
    clues = [technology["evidence"].partition(": ") for technology in example["tech_stack"]]
    generators = [f'<meta name="generator" content="{text}">' for method, _, text in clues if method == "generator"]
    styles = [f'<link rel="stylesheet" href="{url}">' for method, _, url in clues if method == "asset"]
    page = parse_page("".join(generators + styles).encode(), "https://shop.example/", {})
    answer = Fetched(page.url, 200, {}, b"", 0, 0, shown_time())
    facts = findings.site_data([findings.read(page, answer)], "shop.example").to_json()
    software = {name for name in facts if name.startswith(("has_", "is_", "wordpress_", "elementor_"))} | {"tech_stack"}
    assert {name: facts[name] for name in software} == {name: example[name] for name in software}


def test_a_stored_result_is_what_the_document_describes() -> None:
    seen = Evidence("https://shop.example/", "mailto")
    facts = SiteData(
        title="Shop",
        emails=["a@shop.example"],
        tech_stack=[Technology("WordPress", "CMS", None, "generator: WordPress", "https://shop.example/")],
        organization={"name": "Shop", "address": {"city": "Leipzig"}},
        addresses=[{"city": "Leipzig"}],
        open_graph={"og:title": "Shop"},
        evidence={"a@shop.example": seen},
        site_name="Shop",
        email_classes={"a@shop.example": "role"},
        security_txt={
            "url": "https://shop.example/.well-known/security.txt",
            "contacts": ["mailto:a@shop.example"],
            "policy": [],
            "expires": "2027-01-01T00:00:00Z",
        },
        sources={"title": seen},
    )
    stored = facts.to_json()
    assert set(stored) == set(result_schemas.SiteData.model_fields)
    assert list(stored["social_links"]) == list(result_schemas.SocialLinks.model_fields)
    shown = result_schemas.SiteData.model_validate(stored)
    assert json.loads(shown.model_dump_json()) == stored

    page = PageRecord("https://shop.example/", 200, None, shown_time(), 10, 5)
    assert set(page.to_json()) == set(result_schemas.PageFetched.model_fields)


def shown_time() -> Any:
    metrics = result_schemas.ProcessingMetrics.model_validate(examples.SCAN_STATUS["result"]["processing_metrics"])
    return metrics.start_time


@pytest.mark.parametrize(
    "name",
    [
        *("Evidence", "Technology", "ContactInfo", "SecurityTxt", "SiteData", "PageFetched", "ProcessingMetrics"),
        *("ScannedSitemap", "SitemapScanResult"),
        *("PlacesSearchRequest", "PlacesSearchResult"),
    ],
)
def test_every_field_of_a_result_is_described(name: str) -> None:
    fields = DOCUMENT["components"]["schemas"][name]["properties"]
    assert [field for field, schema in fields.items() if not resolved(schema).get("description")] == []


def test_the_described_fields_of_an_organization_and_an_address_are_those_that_are_read() -> None:
    shop = {
        "@type": "Organization",
        "name": "Shop",
        "address": {"streetAddress": "Hauptstr. 1", "addressLocality": "Leipzig"},
    }
    markup = f'<script type="application/ld+json">{json.dumps(shop)}</script>'.encode()
    page = parse_page(markup, "https://shop.example/", {})
    answer = Fetched(page.url, 200, {}, b"", 0, 0, shown_time())
    facts = findings.site_data([findings.read(page, answer)], "shop.example").to_json()
    site = DOCUMENT["components"]["schemas"]["SiteData"]["properties"]
    organization, _ = site["organization"]["anyOf"]
    for described, found in (
        (organization, facts["organization"]),
        (site["addresses"]["items"], facts["addresses"][0]),
    ):
        assert described["properties"].keys() == found.keys()
        assert all(field["description"] for field in described["properties"].values())


def test_the_words_for_a_scans_course_are_all_told() -> None:
    words = resolved(DOCUMENT["components"]["schemas"]["JobSummary"]["properties"]["metadata"])["description"]
    assert [word for word in (*Stopped, *ExtraKind) if f"`{word}`" not in words] == []


def test_a_fact_of_a_later_version_is_handed_on() -> None:
    shown = result_schemas.SiteData.model_validate({"has_of_tomorrow": True})
    assert json.loads(shown.model_dump_json())["has_of_tomorrow"] is True


def test_two_models_of_one_name_are_a_conflict() -> None:
    def app_with(field: str) -> Any:
        app = create_app()
        model = type("Twin", (schemas.Answer,), {"__annotations__": {field: str}, "__module__": __name__})

        @app.get(
            f"/{field}",
            operation_id=field,
            responses={200: {"description": "OK", "content": {"application/json": {"model": model}}}},
        )
        def route() -> None: ...

        return app

    with pytest.raises(Conflict, match="Twin"):
        merge({"one": app_with("a"), "two": app_with("b")})


def test_one_operation_in_two_functions_is_a_conflict() -> None:
    def app() -> Any:
        made = create_app()

        @made.get("/same", responses={200: {"description": "OK", "content": {}}})
        def route() -> None: ...

        return made

    with pytest.raises(Conflict, match="GET /same"):
        merge({"one": app(), "two": app()})


def test_a_stale_document_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("scrapersky_local.openapi.build", lambda: "{}\n")
    assert main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
