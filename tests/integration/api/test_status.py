"""How work stands: what a client sees of it, when it is told, and who is told nothing."""

import threading
import time
from collections.abc import Callable

import pytest

from integration.api.conftest import ALIAS, JOBS, SCAN, Client, Finish, Store, failed, found, refused
from scrapersky.api import result_schemas


def test_a_complete_scan_shows_its_result(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    status = client.get(f"{SCAN}/status/{job_id}").json
    assert (status["status"], status["progress"], status["error"]) == ("complete", 100.0, None)
    assert set(status["result"]) == {"site_data", "pages", "processing_metrics"}
    assert set(status["result"]["site_data"]) == set(result_schemas.SiteData.model_fields)
    assert status["result"]["site_data"]["title"] == "Shop"
    assert status["result"]["pages"][0]["bytes"] == 18_211
    assert status["result"]["processing_metrics"]["pages_fetched"] == 1
    assert "retry-after" not in client.get(f"{SCAN}/status/{job_id}").headers


def test_a_failed_scan_says_why(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, failed())
    status = client.get(f"{SCAN}/status/{job_id}").json
    assert (status["status"], status["result"]) == ("failed", None)
    assert status["error"] == {"code": "dns_failure", "message": "the name has no address", "retryable": True}


@pytest.mark.parametrize("path", [f"{SCAN}/status/", f"{ALIAS}/status/", f"{JOBS}/"])
def test_an_unchanged_status_is_a_304_and_a_changed_one_is_not(client: Client, finish: Finish, path: str) -> None:
    job_id = client.started("shop.example")
    first = client.get(path + job_id)
    tag = first.headers["etag"]
    assert int(first.headers["retry-after"]) > 0

    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        unchanged = client.get(path + job_id, if_none_match=named)
        assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, "", tag)
        assert "retry-after" in unchanged.headers

    finish(job_id, found())
    changed = client.get(path + job_id, if_none_match=tag)
    assert (changed.status, changed.json["status"]) == (200, "complete")
    assert changed.headers["etag"] != tag
    assert client.get(path + job_id, if_none_match=changed.headers["etag"]).status == 304


def test_a_held_answer_comes_with_the_change(client: Client, claim: Callable[[str], Store]) -> None:
    job_id = client.started("shop.example")
    store = claim(job_id)  # before: a held answer comes with the first change, and the claim is one
    worker = threading.Timer(0.6, store, (found(),))
    began = time.monotonic()
    worker.start()
    status = client.get(f"{SCAN}/status/{job_id}?wait=20")
    took = time.monotonic() - began
    worker.join()
    assert status.json["status"] == "complete"
    assert 0.4 < took < 10


def test_a_held_answer_comes_unchanged_when_the_time_is_over(client: Client) -> None:
    job_id = client.started("shop.example")
    tag = client.get(f"{JOBS}/{job_id}").headers["etag"]
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=0.5", if_none_match=tag).status == 304
    assert time.monotonic() - began >= 0.5


def test_a_client_that_has_another_state_is_answered_at_once(client: Client) -> None:
    job_id = client.started("shop.example")
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=20", if_none_match='"stale"').status == 200
    assert time.monotonic() - began < 10


def test_a_final_state_is_not_waited_on(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=20").status == 200
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("job_id", ["x", "123", "a" * 36, "%00"])
def test_an_id_that_is_none_is_a_422(client: Client, job_id: str) -> None:
    assert refused(client.get(f"{JOBS}/{job_id}"), 422, "invalid")["errors"][0]["loc"] == ["path", "job_id"]
