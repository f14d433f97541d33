-- A site that answers with something else than its home page has a reason of its own, and software, organisation and
-- addresses are facts with a source like the others.
alter table scrapersky.jobs
  drop constraint jobs_error_code_check,
  add constraint jobs_error_code_check check (error_code in (
    'invalid_domain', 'dns_failure', 'blocked_address', 'connect_failure', 'tls_failure', 'timeout', 'too_large',
    'too_many_redirects', 'http_error', 'not_html', 'robots_denied', 'blocked', 'login_required', 'needs_js', 'parked',
    'default_page', 'soft_404', 'worker_lost', 'cancelled', 'internal'));
alter table scrapersky.facts
  drop constraint facts_kind_check,
  add constraint facts_kind_check check (
    kind in ('email', 'phone', 'social', 'technology', 'organization', 'address'));
