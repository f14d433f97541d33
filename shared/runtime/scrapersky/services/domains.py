"""The domains a tenant knows, with their latest facts."""

from uuid import UUID

from scrapersky.db import domains
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import KnownDomain
from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.errors import NotFound
from scrapersky.services import paging


def listing(
    db: Database, tenant_id: UUID, *, domain_filter: str | None = None, cursor: str | None = None, limit: int = 50
) -> tuple[list[KnownDomain], str | None]:
    """A page of domains by name, and the cursor of the next one. `domain_filter` is a part of the name.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    after = paging.decode(cursor, 1)[0] if cursor is not None else None
    containing = domain_filter.strip().lower() if domain_filter else None
    found = domains.listing(db, tenant_id, containing=containing, after=after, limit=limit + 1)
    page = found[:limit]
    return page, paging.encode([page[-1].domain]) if len(found) > limit else None


def get(db: Database, tenant_id: UUID, domain: str) -> KnownDomain:
    """The domain under its key, however it is spelled.

    Raises:
        NotFound: this tenant does not know the domain, or it is none.
    """
    try:
        known = domains.get(db, tenant_id, domain_key(domain))
    except InvalidDomain:
        known = None
    if known is None:
        raise NotFound("There is no such domain.")
    return known
