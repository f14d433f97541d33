"""The whole chain on a local stack: from the POST of a batch to its last domain, with sites that take their time."""

import json
import sys
import time

import httpx

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.stack import Stack, StackOptions
from support.crowd import serve_crowd

LATENCY_SECONDS = 0.05
POLL_SECONDS = 0.2
LARGEST_SECONDS = 900.0
BATCH = "/api/v3/batch_page_scraper/batch"
FINAL = frozenset({"complete", "failed", "cancelled"})


def measure(client: httpx.Client, domains: list[str], max_concurrent: int) -> dict[str, float]:
    """Run one batch; how long its request and the whole of it took."""
    begun = time.perf_counter()
    body = {"domains": domains, "max_pages": 1, "max_concurrent": max_concurrent}
    batch_id = client.post(BATCH, json=body).raise_for_status().json()["batch_id"]
    accepted = time.perf_counter() - begun
    while True:
        answer = client.get(f"{BATCH}/{batch_id}/status", params={"domain_statuses": False}).raise_for_status().json()
        taken = time.perf_counter() - begun
        if answer["status"] in FINAL:
            break
        if taken > LARGEST_SECONDS:
            raise TimeoutError(f"after {taken:.0f} s the batch stands thus: {answer}")
        time.sleep(POLL_SECONDS)
    return {
        "domains": len(domains),
        "complete": answer["completed_domains"],
        "at once": max_concurrent,
        "accepted s": accepted,
        "whole s": taken,
        "domains/s": len(domains) / taken,
    }


def main(max_concurrent: int, sizes: list[int]) -> None:
    with serve_crowd() as crowd, throwaway_directory() as folder:
        crowd.latency = LATENCY_SECONDS
        options = StackOptions(
            data_dir=folder, port=0, allow_networks=("127.0.0.0/8",), resolve=crowd.resolve_rules(), durable=False
        )
        with (
            Stack(options).running() as info,
            httpx.Client(
                base_url=info.api_url, headers={"Authorization": f"Bearer {info.token}"}, timeout=60, trust_env=False
            ) as client,
        ):
            measure(client, crowd.hosts("warm", 50), max_concurrent)  # every function's process is started by now
            for size in sizes:
                print(json.dumps(measure(client, crowd.hosts(f"size{size}", size), max_concurrent)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(size) for size in sys.argv[2:]])
