"""Why a bearer token was refused: the words that travel from the authorizer to the API functions.

Apart from `tokens`, so that the API functions know the words without importing a cryptography library.
"""

from enum import StrEnum


class DenialCode(StrEnum):
    """A stable slug per reason; the caller sees it as the problem's `code`."""

    MISSING = "token_missing"
    MALFORMED = "token_malformed"
    WRONG_ALGORITHM = "token_algorithm"
    UNKNOWN_KEY = "token_key_unknown"
    BAD_SIGNATURE = "token_signature"
    EXPIRED = "token_expired"
    NOT_YET_VALID = "token_not_yet_valid"
    WRONG_AUDIENCE = "token_audience"
    WRONG_ISSUER = "token_issuer"
    CLAIM_MISSING = "token_claim_missing"
    BAD_SUBJECT = "token_subject"
    NO_TENANT = "token_tenant"
    TENANTS_DIFFER = "token_tenants_differ"
    KEYS_UNAVAILABLE = "keys_unavailable"

    @property
    def detail(self) -> str:
        """The reason for people. It says nothing about the key or the configuration."""
        return _DETAILS[self]

    @property
    def is_ours(self) -> bool:
        """Whether the token may be good and only we could not tell: 503 rather than 401."""
        return self is DenialCode.KEYS_UNAVAILABLE


_DETAILS = {
    DenialCode.MISSING: "Send a bearer token: `Authorization: Bearer <JWT>`.",
    DenialCode.MALFORMED: "The bearer token is not a well-formed JWT.",
    DenialCode.WRONG_ALGORITHM: "The token is signed with an algorithm that is not accepted here.",
    DenialCode.UNKNOWN_KEY: "The token is signed with a key that is not known here.",
    DenialCode.BAD_SIGNATURE: "The token's signature does not fit.",
    DenialCode.EXPIRED: "The token has expired.",
    DenialCode.NOT_YET_VALID: "The token is not valid yet.",
    DenialCode.WRONG_AUDIENCE: "The token is meant for another audience.",
    DenialCode.WRONG_ISSUER: "The token comes from another issuer.",
    DenialCode.CLAIM_MISSING: "The token lacks one of `exp`, `aud` and `sub`.",
    DenialCode.BAD_SUBJECT: "The token's `sub` must be a text, not blank, without U+0000 and half surrogate pairs.",
    DenialCode.NO_TENANT: "The token names no tenant: `tenant_id` or `app_metadata.tenant_id` must be a UUID.",
    DenialCode.TENANTS_DIFFER: "The token names two tenants: `tenant_id` and `app_metadata.tenant_id` differ.",
    DenialCode.KEYS_UNAVAILABLE: "Tokens cannot be checked at the moment.",
}
