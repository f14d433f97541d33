"""Requests: which bodies, parameters and headers are taken, and that each wrong one is named."""

import base64
import gzip
import json

import pytest

from scrapersky.api import requests
from scrapersky.domain.jobs import Idempotency
from support.api_frame import GOOD, Frame, refused


@pytest.fixture
def frame() -> Frame:
    return Frame()


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'base_url': 'x'}",
        '{"base_url": "x"} x',
        '{"base_url": "x", "max_pages": NaN}',
        '{"base_url": "x", "max_pages": -Infinity}',
        '{"base_url": "x", "base_url": "y"}',
        '{"base_url": "x", "max_pages": ' + "9" * 5000 + "}",
        '{"base_url": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"base_url": ' + "[" * 40 + "]" * 40 + "}",
        '{"base_url": "a\nb"}',
    ],
)
def test_what_is_not_json_is_a_400(frame: Frame, body: str) -> None:
    refused(frame.post(body), 400, "malformed_json")
    assert frame.seen == []


def test_a_byte_order_mark_is_named_in_words_of_ours(frame: Frame) -> None:
    plain = "\ufeff" + json.dumps(GOOD)
    detail = "The body begins with a byte order mark, which JSON does not have (RFC 8259, 8.1)."
    assert refused(frame.post(plain), 400, "malformed_json")["detail"] == detail
    encoded = base64.b64encode(plain.encode()).decode()
    assert refused(frame.call(body=encoded, base64=True), 400, "malformed_json")["detail"] == detail


@pytest.mark.parametrize("encoded", ["not base64!", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_is_not_utf_8_is_a_400(frame: Frame, encoded: str) -> None:
    refused(frame.call(body=encoded, base64=True), 400, "malformed_json")


def test_a_body_may_come_in_base64(frame: Frame) -> None:
    assert frame.call(body=base64.b64encode(json.dumps(GOOD).encode()).decode(), base64=True).status == 200


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ("[]", ["body"]),
        ('[{"base_url": "x"}]', ["body"]),
        ("null", ["body"]),
        ('"x"', ["body"]),
        ("{}", ["body", "base_url"]),
        ('{"base_url": ""}', ["body", "base_url"]),
        ('{"base_url": 7}', ["body", "base_url"]),
        ('{"base_url": ["x"]}', ["body", "base_url"]),
        ('{"base_url": "' + "x" * 2049 + '"}', ["body", "base_url"]),
        ('{"base_url": "x", "max_pages": 0}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 101}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": "5"}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": true}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 1e400}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 1e300}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 2.5}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": "2.0"}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 0.0}', ["body", "max_pages"]),
        ('{"base_url": "x", "tenant_id": "acme"}', ["body", "tenant_id"]),
        ('{"base_url": "x", "max_page": 3}', ["body", "max_page"]),
        ('{"base_url": "a\\u0000b"}', ["body", "base_url"]),
        ('{"base_url": "a\\ud800b"}', ["body", "base_url"]),
        ('{"base_url": "x", "\\u0000": 1}', ["body"]),
    ],
)
def test_a_wrong_field_is_a_422_that_names_it(frame: Frame, body: str, loc: list[str]) -> None:
    problem = refused(frame.post(body), 422, "invalid")
    assert problem["errors"][0]["loc"] == loc
    assert problem["errors"][0]["msg"]
    assert frame.seen == []


@pytest.mark.parametrize(("number", "pages"), [("2.0", 2), ("1e1", 10), ("20e-1", 2), ("100.00", 100)])
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(frame: Frame, number: str, pages: int) -> None:
    assert frame.post(f'{{"base_url": "x", "max_pages": {number}}}').status == 200
    assert frame.seen[0][1].max_pages == pages


def test_no_body_at_all_is_a_422(frame: Frame) -> None:
    assert refused(frame.call(), 422, "invalid")["errors"][0]["loc"] == ["body"]


def test_a_pair_of_surrogates_is_one_good_character(frame: Frame) -> None:
    assert frame.post('{"base_url": "\\ud83d\\ude00.example"}').status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=latin-1",
        "",
    ],
)
def test_another_kind_of_body_is_a_415(frame: Frame, content_type: str) -> None:
    refused(frame.post(json.dumps(GOOD), content_type=content_type), 415, "unsupported_media_type")


def test_a_compressed_body_is_a_415(frame: Frame) -> None:
    refused(frame.post(json.dumps(GOOD), content_encoding="gzip"), 415, "unsupported_media_type")
    compressed = base64.b64encode(gzip.compress(json.dumps(GOOD).encode())).decode()
    answer = frame.call(body=compressed, base64=True, headers={"content-encoding": "gzip"})
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON ; Charset=UTF-8", 'application/json; charset="utf-8"']
)
def test_json_in_utf_8_is_taken_however_it_is_spelled(frame: Frame, content_type: str) -> None:
    assert frame.post(json.dumps(GOOD), content_type=content_type).status == 200


def test_too_large_a_body_is_a_413(frame: Frame) -> None:
    padding = " " * requests.MAX_BODY_BYTES
    refused(frame.post(json.dumps(GOOD) + padding), 413, "too_large")
    refused(frame.post("ä" * (requests.MAX_BODY_BYTES // 2 + 1)), 413, "too_large")
    encoded = base64.b64encode((json.dumps(GOOD) + padding).encode()).decode()
    refused(frame.call(body=encoded, base64=True), 413, "too_large")


def test_a_body_of_just_the_limit_is_taken(frame: Frame) -> None:
    text = json.dumps(GOOD)
    assert frame.post(text + " " * (requests.MAX_BODY_BYTES - len(text))).status == 200


@pytest.mark.parametrize("wait", ["-1", "20.5", "nan", "inf", "soon", "", "1,2"])
def test_a_wrong_parameter_is_a_422_that_names_it(frame: Frame, wait: str) -> None:
    problem = refused(frame.call("GET", f"/api/v3/jobs?wait={wait}"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", "wait"]


def test_a_parameter_that_cannot_be_stored_is_a_422(frame: Frame) -> None:
    problem = refused(frame.call("GET", "/api/v3/jobs?status=a%00b"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", "status"]
    refused(frame.call("GET", "/api/v3/jobs/a\x00b"), 422, "invalid")


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\t", "ü", "line\n", "\x7f"])
def test_a_wrong_idempotency_key_is_a_422(frame: Frame, key: str) -> None:
    answer = frame.call(json_body=GOOD, headers={"idempotency-key": key})
    assert refused(answer, 422, "invalid")["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def fingerprint(frame: Frame, body: str, key: str = "k") -> bytes:
    assert frame.post(body, idempotency_key=key).status == 200
    used: Idempotency = frame.seen.pop()[2]
    assert used.key == key
    return used.fingerprint


def test_a_key_stands_for_the_same_request_however_it_is_spelled(frame: Frame) -> None:
    first = fingerprint(frame, '{"base_url": "x", "max_pages": 3}')
    assert len(first) == 32
    assert fingerprint(frame, '{ "max_pages":3,"base_url" : "\\u0078" }') == first
    assert fingerprint(frame, '{"base_url": "x", "max_pages": 3.0}') == first
    assert fingerprint(frame, '{"base_url": "x", "max_pages": 4}') != first


@pytest.mark.parametrize("key", ["a,b", "!~", "x" * 255])
def test_every_visible_character_may_stand_in_a_key(frame: Frame, key: str) -> None:
    assert fingerprint(frame, json.dumps(GOOD), key)


def test_without_a_key_there_is_none(frame: Frame) -> None:
    frame.call(json_body=GOOD)
    assert frame.seen[0][2] is None
