"""The SQL of a sitemap scan's work list: read the job, add files, claim the next, keep it, give it back.

    site(db, tenant_id, job_id) -> Site | None
    add(db, site, files: [(url, DiscoveryMethod)], *, discovery: {}, lanes) -> Turn
    claim(db, site, *, token, lease, lanes) -> Turn
    renew(db, line, *, lease) -> bool
    address(db, line, final_url) -> Address
    give_back(db, line, *, lanes) -> bool
    release(db, site) -> bool
    figures(db, tenant_id, job_id) -> Figures

How a file and its job end is in `sitemap_ends`:

    finish(db, line, read: Read, *, lanes) -> Turn
    not_modified(db, line, *, status_code, wire_bytes, ms, lanes) -> Turn
    fail(db, line, failure: Failure) -> Turn
    cut(db, site, *, message, detail) -> Turn      every open file fails as `timeout`, the job ends with what there is
    end(db, site, failure: (ErrorCode, str) | None) -> Turn      of a job without an open file

What a file names is stored by `sitemap_store.store_chunk`. `lanes` is how many workers may be at the job's files at a
time; each call but `site` and `figures` is one transaction and one round trip, and may be carried out twice.
"""
