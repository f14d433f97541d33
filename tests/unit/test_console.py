"""The console's function: its files, how they are validated and compressed, and the policy that they are under."""

import base64
import re
import zlib
from pathlib import Path

import pytest

import scrapersky.api
from support.api_frame import refused
from support.http_events import Answered, call, function

FOLDER = Path(scrapersky.api.__file__).parent / "console"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.name != "index.html")
MAX_LINES = 300
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def get(path: str, method: str = "GET", **headers: str) -> Answered:
    """The function's answer to somebody without a token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(function("console").lambda_handler, method, path, tenant_id=None, headers=sent)


def text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def test_the_page_is_served_to_everybody() -> None:
    answer = get("/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == text("index.html")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_served_as_what_it_is(name: str) -> None:
    answer = get(f"/console/{name}")
    assert (answer.status, answer.body) == (200, text(name))
    assert answer.headers["content-type"] == f"{TYPES[Path(name).suffix]}; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/console/app.js"])
def test_nothing_but_the_consoles_own_files_runs_or_is_shown(path: str) -> None:
    headers = get(path).headers
    told = (directive.strip().partition(" ") for directive in headers["content-security-policy"].split(";"))
    assert {name: value for name, _, value in told} == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/console/app.js"])
def test_what_a_client_has_is_not_sent_again(path: str) -> None:
    first = get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f'"other", {tag}'):
        again = get(path, if_none_match=known, accept_encoding="gzip")
        assert (again.status, again.body, again.headers["etag"]) == (304, "", tag)
        assert "content-encoding" not in again.headers
        assert again.headers["cache-control"] == "no-cache"
    assert get(path, if_none_match='"other"').status == 200


def test_another_file_has_another_validator() -> None:
    tags = [get(f"/console/{name}").headers["etag"] for name in FILES]
    assert len(set(tags)) == len(tags) > 1


def test_a_file_is_compressed_for_who_takes_that() -> None:
    answer = get("/console/app.js", accept_encoding="gzip, br")
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert zlib.decompress(base64.b64decode(answer.body), zlib.MAX_WBITS | 16).decode() == text("app.js")
    assert answer.headers["etag"].startswith("W/")  # the same validator, and other bytes


@pytest.mark.parametrize(
    "path",
    [
        "/console/nothing.js",
        "/console/index.html.js",
        "/console/..",
        "/console/%2e%2e",
        "/console/..%2fopenapi.json",
        "/console/app.js%00",
        "/console/app.js/",
        "/console/__pycache__",
    ],
)
def test_another_name_is_a_404_and_leads_out_of_no_folder(path: str) -> None:
    answer = get(path)
    assert answer.status in (401, 404), path  # 401: no path of the console's, and so for nobody without a token
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_file_is_a_problem_that_says_so() -> None:
    problem = refused(get("/console/nothing.js"), 404, "not_found")
    assert problem["detail"] == "The console has no such file."


# --- what the files hold: none of it needs a browser to be seen ---


def test_the_page_loads_its_own_files_alone_and_each_of_them_at_once() -> None:
    html = text("index.html")
    loaded = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    own = [path for path in loaded if path.startswith("console/")]
    assert {path for path in loaded if path not in own} == {"docs"}
    assert sorted({path.removeprefix("console/") for path in own}) == FILES
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)", html)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".css"))])
def test_a_file_names_no_other_host(name: str) -> None:
    named = set(re.findall(r"https?://([\w.-]+)", text(name)))
    assert {host for host in named if not host.endswith(".example")} <= {"www.w3.org"}  # the namespace of SVG


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".css"))])
def test_a_file_is_small(name: str) -> None:
    assert len(text(name).splitlines()) < MAX_LINES


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_no_script_makes_markup_or_code_out_of_text(name: str) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    assert not re.search(rf"{forbidden}|\beval\(|new Function|localStorage|document\.cookie|javascript:", text(name))
