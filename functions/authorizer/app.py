"""Lambda authorizer of the HTTP API (payload 2.0, simple responses): a bearer token in, a tenant out.

It always lets the request pass, with either the tenant or the reason of the denial in its context, because the
gateway's own 401 and 403 cannot be `application/problem+json`. The API functions are fail-closed: without a
tenant in the context they answer 401 themselves (scrapersky.api.requests).
"""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KeySet
from scrapersky.api.tokens import KeySource, SharedSecret, TokenConfig, TokenDenied, bearer_token, verify
from scrapersky.observability import logger, observed
from scrapersky.secret_store import secret
from scrapersky.settings import TokenSettings

SECRET_ANSWER_SECONDS = 3.5  # all tries end before this function does: an outage is to be a 503 of ours


@cache
def key_set(url: str, algorithm: str) -> KeySet:
    """The process's copy of the issuer's keys."""
    return KeySet(url, algorithm)


def token_config(settings: TokenSettings) -> TokenConfig:
    keys: KeySource
    if settings.jwks_url is not None:
        keys = key_set(settings.jwks_url, settings.algorithm)
    else:
        keys = SharedSecret(secret(settings.secret_arn or "", answer_seconds=SECRET_ANSWER_SECONDS))
    return TokenConfig(settings.algorithm, keys, settings.audience, settings.issuer)


def context_of(event: dict[str, Any]) -> dict[str, Any]:
    """What the API functions are told: `tenant_id`, `sub` and `exp`, or `denied` with its code."""
    logger().set_correlation_id(event.get("requestContext", {}).get("requestId"))  # the API function's, too
    try:
        token = bearer_token((event.get("headers") or {}).get("authorization"))
        identity = verify(token, token_config(TokenSettings.from_env(os.environ)))
    except TokenDenied as denial:
        logger().info("token denied", code=denial.code)
        return {"denied": denial.code.value}
    except Exception:
        # An error here would reach the caller as the gateway's bare 500; this way it is a 503 with a request id.
        logger().exception("token could not be checked")
        return {"denied": DenialCode.KEYS_UNAVAILABLE.value}
    return {"tenant_id": str(identity.tenant_id), "sub": identity.subject, "exp": identity.expires_at}


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    return {"isAuthorized": True, "context": context_of(event)}
