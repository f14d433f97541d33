"""The sitemap workers of a run: the ordinary ones, with lowered limits and the run's sites in place of the internet.

python -m chaos.sites.workers …    as support.sitemap_workers
"""

import sys

from chaos.sites.limits import lower
from scrapersky.scraping.fetch import Fetcher
from support import sitemap_scans, sitemap_workers
from support.fetching import AGENT, policy
from support.loopback import CLOSED_PORT


def no_name(host: str, port: int) -> list[str]:
    """Every name that has no rule is one that is not there: what this machine's resolver knows is no matter."""
    raise OSError(f"{host} is not known")


def fetcher(port: int) -> Fetcher:
    """The sites speak plain HTTP, and nothing listens where TLS would be; some zones are hosts that are not well."""
    here, closed = f"127.0.0.1:{port}", f"127.0.0.1:{CLOSED_PORT}"
    leads = {
        "*.sites.example": (here, closed),
        "elsewhere.example": (here, closed),
        "*.refused.example": (closed, closed),
        "*.bad-tls.example": (closed, here),
        "*.half-tls.example": (here, here),
        "*.inner.example": ("10.0.0.7:80", "10.0.0.7:443"),
    }
    rules = [f"{host}:{port}={to}" for host, both in leads.items() for port, to in zip((80, 443), both, strict=True)]
    return Fetcher(policy=policy("127.0.0.0/8", rules=tuple(rules)), user_agent=AGENT, resolver=no_name)


if __name__ == "__main__":
    lower()
    sitemap_scans.fetcher = fetcher
    dsn, port, lease, seconds, rows, sabotage = sys.argv[1:]
    sitemap_workers.main(dsn, int(port), lease, float(seconds), int(rows), sabotage)
