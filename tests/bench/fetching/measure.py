"""What one crawler's process cost, told as one JSON line. Of the standard library alone: the peers use it too."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NETWORKS = ("facebook", "twitter", "linkedin", "instagram", "youtube", "tiktok", "pinterest", "github")

SHOPS = 40
"""How many sites differ; those after them are like the first ones, under other addresses."""

FURTHER_PAGES = "/pages/"
"""What the paths of a site's further pages begin with: the links of a home page that are followed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`wall` and `cpu` are seconds from the first URL to the last fact, imports left out; memory is of the process."""

    pages: int
    wall: float
    cpu: float
    peak_mb: float
    imported_mb: float
    facts: dict[str, Any]


class Measure:
    """One run. Begin it when everything is imported, and add the facts of each page or site as they come."""

    def __init__(self) -> None:
        self._pages: dict[int, dict[str, dict[str, Any]]] = {}
        self._sites: dict[str, Any] = {}
        self._count = 0
        self._imported_mb = _memory_mb("VmRSS")
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def add(self, site: int, url: str, facts: Mapping[str, Any]) -> None:
        """Take the facts of a site's page, as JSON to be stored would be made of them."""
        json.dumps(facts)
        self._count += 1
        self._pages.setdefault(site, {})[urlsplit(url).path] = comparable(facts)

    def add_site(self, site: int, paths: Sequence[str], facts: Mapping[str, Any]) -> None:
        """Take the facts of a whole site, of which the pages under these paths were read."""
        json.dumps(facts)
        self._count += len(paths)
        self._sites[f"site {site}"] = comparable(facts) | {"paths": sorted(paths)}

    def report(self) -> None:
        cost = Cost(
            pages=self._count,
            wall=time.perf_counter() - self._wall,
            cpu=time.process_time() - self._cpu,
            peak_mb=_memory_mb("VmHWM"),
            imported_mb=self._imported_mb,
            facts=self._sites | {f"site {site}": of_site(pages) for site, pages in self._pages.items()},
        )
        print(json.dumps(asdict(cost)), flush=True)


def comparable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that all crawlers must agree on. The peers tell an icon as its link has it, so its path is compared."""
    same = ("title", "description", "language", "canonical_url", "is_wordpress", "open_graph")
    return {
        **{name: facts[name] for name in same},
        "social_links": {name: facts["social_links"][name] for name in NETWORKS},
        "favicon_path": urlsplit(facts["favicon_url"] or "").path,
        "emails": sorted(facts["emails"]),
    }


def of_site(pages: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The facts of a site out of those of its pages: the home page's, and the e-mail addresses of all of them."""
    emails = {email for facts in pages.values() for email in facts["emails"]}
    return pages["/"] | {"emails": sorted(emails), "paths": sorted(pages)}


def address(site: int) -> str:
    """The loopback address of a site: each is a host of its own, to per-host limits as well."""
    return f"127.0.{1 + site // 250}.{1 + site % 250}"


def _memory_mb(field: str) -> float:
    """`VmHWM`: the most that was ever resident since exec, which `ru_maxrss` does not tell apart from the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024


def site_count() -> int:
    return int(os.environ["BENCH_SITES"])


def most_pages() -> int:
    """A site has one page or more, up to this many."""
    return int(os.environ["BENCH_PAGES"])


def page_count(site: int) -> int:
    """How many pages a site of the fixture web has: one for the first, one more for each that follows, and anew."""
    return 1 + site % SHOPS % most_pages()


def port() -> int:
    return int(os.environ["BENCH_PORT"])


def concurrency() -> int:
    return int(os.environ["BENCH_CONCURRENCY"])
