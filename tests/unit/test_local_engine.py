"""The seams in the local AWS engine, and the API's own address in front of it."""

import io
import zipfile
from pathlib import Path

import pytest

from scrapersky_local import engine
from scrapersky_local.engine import Event, Front, Scope, adapt, as_api_request
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


def test_nobody_names_an_api_at_the_apis_own_address() -> None:
    async def aws(_scope: Scope, _receive: object, _send: object) -> None:
        return None

    assert answers(Front(aws, API_PORT), request(f"{engine.OPEN}a1", port=API_PORT, method="PUT")) == [503]


def test_the_pinned_engine_has_the_seams() -> None:
    from ministack.core.lambda_runtime import ProvidedWorker  # type: ignore[import-untyped]

    engine.require_ministack()
    adapt(type("Worker", (ProvidedWorker,), {}))


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
