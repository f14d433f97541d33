"""The seams in the local AWS engine, and the API's own address in front of it."""

import io
import threading
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scrapersky.api import schemas
from scrapersky_local import engine
from scrapersky_local.engine import Event, Front, Scope, adapt, adapt_gateway, as_api_request, limit_maps
from scrapersky_local.lambda_host import package
from scrapersky_local.processes import StackError

API_PORT = 8000
AWS_PORT = 4566


def request(path: str, *, port: int, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "scheme": "http",
        "headers": list(headers),
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", port),
    }


def answers(front: Front, *scopes: Scope) -> list[int]:
    """The status of each answer; 0 for a request that was handed on."""
    statuses: list[int] = []

    async def receive() -> Event:
        raise AssertionError("the front reads no body")

    async def send(message: Event) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    for scope in scopes:
        before = len(statuses)
        # No event loop: it would open a socket, and nothing here waits.
        with pytest.raises(StopIteration):
            front(scope, receive, send).send(None)
        if len(statuses) == before:
            statuses.append(0)
    return statuses


def test_the_apis_address_leads_to_its_default_stage() -> None:
    scope = as_api_request(request("/api/v3/jobs", port=API_PORT), "a1")
    assert scope["path"] == "/_aws/execute-api/a1/$default/api/v3/jobs"
    assert scope["raw_path"] == b"/_aws/execute-api/a1/$default/api/v3/jobs"


def test_the_host_is_kept_and_forwarding_headers_are_the_gateways() -> None:
    sent = ((b"host", b"localhost:8000"), (b"X-Forwarded-Proto", b"https"))
    headers = dict(as_api_request(request("/", port=API_PORT, headers=sent), "a1")["headers"])
    assert headers == {
        b"host": b"localhost:8000",
        b"x-forwarded-for": b"127.0.0.1",
        b"x-forwarded-port": b"8000",
        b"x-forwarded-proto": b"http",
    }


def test_the_api_is_not_available_until_it_is_named() -> None:
    seen: list[str] = []

    async def aws(scope: Scope, _receive: object, _send: object) -> None:
        seen.append(scope["path"])

    front = Front(aws, API_PORT)
    health = request("/health", port=API_PORT)
    named = request(f"{engine.OPEN}a1", port=AWS_PORT, method="PUT")
    assert answers(front, health, named, health, request("/bucket", port=AWS_PORT)) == [503, 204, 0, 0]
    assert seen == ["/_aws/execute-api/a1/$default/health", "/bucket"]


def test_an_api_that_is_not_there_yet_is_answered_for_as_the_gateway_does() -> None:
    said: list[Event] = []

    async def aws(_scope: Scope, _receive: object, _send: object) -> None:
        return None

    async def receive() -> Event:
        raise AssertionError("the front reads no body")

    async def send(message: Event) -> None:
        said.append(message)

    with pytest.raises(StopIteration):
        Front(aws, API_PORT)(request("/health", port=API_PORT), receive, send).send(None)
    start, end = said
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (503, b"application/json")
    assert schemas.GatewayMessage.model_validate_json(end["body"]).message == "Service Unavailable"
    assert dict(start["headers"])[b"content-length"] == str(len(end["body"])).encode()


def test_nobody_names_an_api_at_the_apis_own_address() -> None:
    async def aws(_scope: Scope, _receive: object, _send: object) -> None:
        return None

    assert answers(Front(aws, API_PORT), request(f"{engine.OPEN}a1", port=API_PORT, method="PUT")) == [503]


def test_the_pinned_engine_has_the_seams() -> None:
    from ministack.core.lambda_runtime import ProvidedWorker  # type: ignore[import-untyped]

    engine.require_ministack()
    adapt(type("Worker", (ProvidedWorker,), {}))


def test_a_function_that_does_not_start_is_still_told_as_such() -> None:
    """The engine asks for the log in words of its own there, and starts the function again only after that."""
    from ministack.core.lambda_runtime import ProvidedWorker

    worker = type("Worker", (ProvidedWorker,), {})
    adapt(worker)
    function = worker("slow", {}, b"")
    function._stderr_queue.put("no module")
    assert function._init_log_suffix() == ": no module"
    assert function._drain_stderr_bounded() == ""


def test_an_engine_without_a_seam_is_refused() -> None:
    class Worker:
        def _pump_output(self, stream: object) -> None: ...

    with pytest.raises(StackError, match=r"no Worker\._pump_output\(self, stream, log_queue\)"):
        adapt(Worker)


def test_another_version_of_the_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MINISTACK", "0.0.1")
    with pytest.raises(StackError, match=r"ministack 0\.0\.1, but .* is installed"):
        engine.require_ministack()


def test_a_package_holds_one_program_that_names_its_folders(tmp_path: Path) -> None:
    function = tmp_path / "a function"
    with zipfile.ZipFile(io.BytesIO(package(function, [tmp_path / "layer"]))) as archive:
        assert archive.namelist() == ["bootstrap"]
        assert archive.getinfo("bootstrap").external_attr >> 16 == 0o755
        program = archive.read("bootstrap").decode()
    assert program.startswith("#!/bin/sh\nexec ")
    assert f"'{function}' {tmp_path / 'layer'}" in program


def test_equal_sources_make_equal_packages(tmp_path: Path) -> None:
    assert package(tmp_path, []) == package(tmp_path, [])


def concurrency(monkeypatch: pytest.MonkeyPatch, items: int, limit: dict[str, Any]) -> int:
    """How many children of a distributed map are at work at once, in the real engine with the seam in it."""
    from ministack.services import stepfunctions  # type: ignore[import-untyped]

    lock = threading.Lock()
    running: list[int] = [0]
    most: list[int] = [0]

    def child(_states: object, _start: object, item: int, _execution: object, _ctx: object) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return item

    monkeypatch.setattr(stepfunctions, "_run_distributed_map", stepfunctions._run_distributed_map)
    monkeypatch.setattr(stepfunctions, "_run_sub_machine", child)
    limit_maps(stepfunctions)
    arn = "arn:aws:states:us-east-1:000000000000:execution:flow:1"
    output, after = stepfunctions._execute_map(
        {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "One", "States": {}},
            "End": True,
            **limit,
        },
        {"items": list(range(items)), "lanes": 3},
        {"executionArn": arn, "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:flow"},
        {"State": {}, "Execution": {}, "QueryLanguage": "JSONPath"},
    )
    assert (output, after) == (list(range(items)), None)
    return most[0]


def test_a_distributed_map_keeps_to_the_concurrency_that_its_input_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert concurrency(monkeypatch, 30, {"MaxConcurrencyPath": "$.lanes"}) == 3


def test_a_distributed_map_without_such_a_path_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    assert concurrency(monkeypatch, 30, {"MaxConcurrency": 2}) == 2


def test_an_engine_whose_maps_work_otherwise_is_refused() -> None:
    other = ModuleType("stepfunctions")
    with pytest.raises(StackError, match=r"no stepfunctions\._run_distributed_map\(state_def, raw_input, "):
        limit_maps(other)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The real engine's gateway module, whose seams are taken out again after the test."""
    from ministack.services import apigateway

    for name in ("_handle_execute_in_scope", "_invoke_lambda_proxy", "_v2_request_body_is_text", "_match_route"):
        monkeypatch.setattr(apigateway, name, getattr(apigateway, name))
    module: ModuleType = apigateway
    return module


def test_the_pinned_gateway_has_the_seams(gateway: ModuleType) -> None:
    adapt_gateway(gateway)


def test_another_gateway_is_refused() -> None:
    with pytest.raises(StackError, match=r"no apigateway\._handle_execute_in_scope\(api_id, stage, path, "):
        adapt_gateway(ModuleType("apigateway"))


@pytest.mark.parametrize(("cors", "handled_by"), [({}, "routes"), ({"allowOrigins": ["*"]}, "gateway")])
def test_a_preflight_request_is_the_gateway_s_only_with_cors(
    gateway: ModuleType, monkeypatch: pytest.MonkeyPatch, cors: dict[str, Any], handled_by: str
) -> None:
    adapt_gateway(gateway)
    monkeypatch.setattr(gateway, "_apis", {"a1": {"corsConfiguration": cors}})
    monkeypatch.setattr(gateway, "_match_route", lambda *_: None)
    with pytest.raises(StopIteration) as ended:
        gateway._handle_execute_in_scope("a1", "$default", "/", "OPTIONS", {"origin": "x"}, b"", {}, "1", "r").send(
            None
        )
    status, _, _ = ended.value.value
    assert status == {"routes": 404, "gateway": 204}[handled_by]
