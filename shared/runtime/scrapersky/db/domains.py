"""The SQL of the domains a tenant knows, with their latest facts."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.domain.jobs import KnownDomain

_COLUMNS = "id, domain, job_id, scanned_at, created_at, updated_at"


def _known(row: Mapping[str, Any]) -> KnownDomain:
    return KnownDomain(
        id=row["id"],
        domain=row["domain"],
        site_data=row["site_data"],
        job_id=row["job_id"],
        scanned_at=row["scanned_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


_GET = (
    "select site_data, "  # noqa: S608 - constants alone
    + _COLUMNS
    + " from scrapersky.domains where tenant_id = %(tenant_id)s and domain = %(domain)s"
)
_LIST = (
    "select site_data, "
    + _COLUMNS
    + """
from scrapersky.domains
where tenant_id = %(tenant_id)s
  and (%(containing)s::text is null or strpos(domain, %(containing)s) > 0)
  and (%(after)s::text is null or domain > %(after)s)
order by domain
limit %(limit)s
"""
)


def get(db: Database, tenant_id: UUID, domain: str) -> KnownDomain | None:
    rows = db.query(_GET, {"tenant_id": tenant_id, "domain": domain}, tenant_id=tenant_id)
    return _known(rows[0]) if rows else None


def listing(
    db: Database, tenant_id: UUID, *, containing: str | None, after: str | None, limit: int
) -> list[KnownDomain]:
    """By name, after the domain `after`; `containing` is a plain part of the name."""
    rows = db.query(
        _LIST,
        {"tenant_id": tenant_id, "containing": containing, "after": after, "limit": limit},
        tenant_id=tenant_id,
    )
    return [_known(row) for row in rows]
