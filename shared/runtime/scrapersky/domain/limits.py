"""The bounds of what can be asked for, the same for HTTP and for messages."""

MAX_PAGES = 100  # of one site: a scan is for contacts and software, not for a copy of the site
DEFAULT_PAGES = 10
MAX_SITEMAP_URLS = 1_000_000  # of one scan: what one site's rows and a worker's minutes may come to
DEFAULT_SITEMAP_URLS = 10_000
MAX_DOMAINS = 10_000  # of one batch: the request stays below 3 MB, its rows below a second's work for the database
MAX_CONCURRENT = 1_000  # sites at once in one batch
DEFAULT_CONCURRENT = 5
MAX_PLACES = 60  # of one search: what Google tells of one query
MAX_SPLIT_PLACES = 1_000  # of a search in parts
DEFAULT_PLACES = 20
MAX_RADIUS_KM = 50  # of Google's circle
DEFAULT_RADIUS_KM = 10
MAX_SPLIT_REQUESTS = 200  # of a search in parts: the minutes of one worker
DEFAULT_SPLIT_REQUESTS = 50
MAX_BUDGET_USD = 1_000
MAX_JUDGED_PLACES = 1_000  # places whose status is set, or whose sites are scanned, by one request
