"""The errors a caller can be told about. Each carries its HTTP status and a stable code.

ScraperSkyError
├── Unauthorized          401
├── Forbidden             403
├── NotFound              404  (also what is another tenant's)
├── Conflict              409
├── Invalid               422
│   └── IdempotencyKeyReused
├── Unavailable           503
│   └── PlacesNotConfigured
└── ConfigurationError    500  (the variable is named in the log, never in the answer)
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: `loc` as a path (`("body", "max_pages")`), `msg` for people."""

    loc: tuple[str | int, ...]
    msg: str


class ScraperSkyError(Exception):
    """Something the caller can be told. `detail` is public: it holds no secret, SQL or stack trace."""

    status = 500
    code = "internal"
    title = "Internal error"

    def __init__(self, detail: str, *, code: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors)


class Unauthorized(ScraperSkyError):
    status, code, title = 401, "unauthorized", "Unauthorized"


class Forbidden(ScraperSkyError):
    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(ScraperSkyError):
    status, code, title = 404, "not_found", "Not found"


class Conflict(ScraperSkyError):
    status, code, title = 409, "conflict", "Conflict"


class Invalid(ScraperSkyError):
    status, code, title = 422, "invalid", "Invalid request"


class IdempotencyKeyReused(Invalid):
    code, title = "idempotency_key_reused", "Idempotency key reused"


class Unavailable(ScraperSkyError):
    status, code, title = 503, "unavailable", "Unavailable"


class PlacesNotConfigured(Unavailable):
    """This installation has no key for Google's services. To ask again later is of no use."""

    code, title = "places_not_configured", "Places searches not configured"

    def __init__(self) -> None:
        super().__init__("Places searches are not set up here: the operator has given no Google Maps Platform key.")


class ConfigurationError(ScraperSkyError):
    code, title = "configuration", "Configuration error"
