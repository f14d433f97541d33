"""Bearer tokens (JWT, RFC 7519): whose request it is, or why that cannot be believed.

The algorithm is pinned by configuration and never taken from the token (RFC 8725, 3.1).
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import jwt
from jwt.exceptions import InvalidSubjectError

from scrapersky.api.denials import DenialCode
from scrapersky.domain.texts import UNSTORABLE
from scrapersky.errors import ConfigurationError

LEEWAY_SECONDS = 10  # clocks of issuer and gateway differ by less; more would lengthen every token's life
MAX_TOKEN_CHARACTERS = 8192  # API Gateway takes 10,240 bytes for all headers together
MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: a key of the hash's size or larger
LAST_SECOND = 253_402_300_799  # of the year 9999, where RFC 3339 ends; a longer number only burdens who carries it

_SCHEME = "bearer"
# RFC 7515, 3.1 and 2: three parts in base64url without padding, blank or line break. Decoders pass over such things.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TIMES = ("exp", "nbf", "iat")
_REASONS: tuple[tuple[type[Exception], DenialCode], ...] = (
    # The first that fits counts, so subclasses stand before their bases.
    (jwt.ExpiredSignatureError, DenialCode.EXPIRED),
    (jwt.ImmatureSignatureError, DenialCode.NOT_YET_VALID),
    (jwt.InvalidAudienceError, DenialCode.WRONG_AUDIENCE),
    (jwt.InvalidIssuerError, DenialCode.WRONG_ISSUER),
    (jwt.MissingRequiredClaimError, DenialCode.CLAIM_MISSING),
    (InvalidSubjectError, DenialCode.BAD_SUBJECT),
    (jwt.InvalidAlgorithmError, DenialCode.WRONG_ALGORITHM),
    (jwt.InvalidSignatureError, DenialCode.BAD_SIGNATURE),
    (jwt.InvalidKeyError, DenialCode.UNKNOWN_KEY),
)


class TokenDenied(Exception):
    """The token proves nothing; `code` says why."""

    def __init__(self, code: DenialCode) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """What a good token says: the tenant, the user within it, and until when (seconds since the epoch)."""

    tenant_id: UUID
    subject: str
    expires_at: int


class KeySource(Protocol):
    """Where the key for a token comes from."""

    def find(self, kid: str | None) -> jwt.PyJWK | bytes:
        """The key with this id. Raises TokenDenied when there is none that fits."""


class SharedSecret:
    """The one HS256 secret, whatever key id the token names."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        if len(self._secret) < MIN_SECRET_BYTES:
            raise ConfigurationError(f"the HS256 secret is shorter than {MIN_SECRET_BYTES} bytes")

    def find(self, kid: str | None) -> bytes:  # noqa: ARG002 - one secret signs every token
        return self._secret


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """What a token is held to. `algorithm` is HS256, RS256 or ES256; `issuer` None accepts whoever holds the key."""

    algorithm: str
    keys: KeySource
    audience: str
    issuer: str | None = None


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization` header (RFC 6750, 2.1).

    Raises:
        TokenDenied: there is no header, another scheme, or more than one token.
    """
    scheme, _, token = (authorization or "").strip(" ").partition(" ")
    if scheme.lower() != _SCHEME:
        raise TokenDenied(DenialCode.MISSING)
    token = token.lstrip(" ")
    if not token or " " in token:
        raise TokenDenied(DenialCode.MALFORMED)
    return token


def verify(token: str, config: TokenConfig) -> Identity:
    """Check signature, times, audience, issuer and tenant of a token.

    Raises:
        TokenDenied: the token is refused, or the keys to check it with cannot be had.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not _COMPACT.fullmatch(token):
        raise TokenDenied(DenialCode.MALFORMED)
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != config.algorithm:  # before a key is looked up, so that none is fetched in vain
            raise TokenDenied(DenialCode.WRONG_ALGORITHM)
        claims = jwt.decode(
            token,
            config.keys.find(header.get("kid")),
            algorithms=[config.algorithm],
            audience=config.audience,
            issuer=config.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "aud", "sub"], "enforce_minimum_key_length": True},
        )
        return Identity(_tenant(claims), _subject(claims), _end(claims))
    except jwt.PyJWTError as error:
        raise TokenDenied(_reason(error)) from error
    except (ValueError, OverflowError, RecursionError) as error:  # numbers and nesting that no honest token has
        raise TokenDenied(DenialCode.MALFORMED) from error


def _reason(error: jwt.PyJWTError) -> DenialCode:
    for kind, code in _REASONS:
        if isinstance(error, kind):
            return code
    return DenialCode.MALFORMED


def _end(claims: dict[str, Any]) -> int:
    """`exp` in whole seconds. Times are JSON numbers (RFC 7519, 2); the library also reads texts and truths."""
    if any(type(claims[name]) not in (int, float) for name in _TIMES if name in claims) or claims["exp"] > LAST_SECOND:
        raise TokenDenied(DenialCode.MALFORMED)
    return int(claims["exp"])


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.strip() or UNSTORABLE.search(subject):
        raise TokenDenied(DenialCode.BAD_SUBJECT)
    return subject


def _tenant(claims: dict[str, Any]) -> UUID:
    """The tenant from `tenant_id` or `app_metadata.tenant_id`; two that differ are none.

    `user_metadata` is never looked at: users write it themselves.
    """
    metadata = claims.get("app_metadata")
    named = [claims.get("tenant_id"), metadata.get("tenant_id") if isinstance(metadata, dict) else None]
    tenants = {_uuid(value) for value in named if value is not None}
    if len(tenants) != 1:
        raise TokenDenied(DenialCode.TENANTS_DIFFER if tenants else DenialCode.NO_TENANT)
    return tenants.pop()


def _uuid(value: object) -> UUID:
    try:
        tenant_id = UUID(value) if isinstance(value, str) else None
    except ValueError:
        tenant_id = None
    # UUID() also reads braces, `urn:uuid:` and digits without dashes: one tenant has one spelling.
    if tenant_id is None or str(tenant_id) != str(value).lower():
        raise TokenDenied(DenialCode.NO_TENANT)
    return tenant_id
