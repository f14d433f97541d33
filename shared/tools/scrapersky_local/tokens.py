"""Tokens of a running local stack, minted with the very secret that its authorizer reads."""

import time
from dataclasses import dataclass
from typing import Any

import jwt
from botocore.exceptions import BotoCoreError, ClientError

from scrapersky_local.clients import local_client
from scrapersky_local.processes import StackError

SECRET_NAME = "scrapersky/jwt"  # noqa: S105 - where `Deployment.create_secrets` puts it
AUDIENCE = "authenticated"  # the template's default, which the stack leaves as it is
_ANSWER_SECONDS = 5.0  # for a service on this machine


@dataclass(frozen=True, slots=True)
class Bearer:
    """For whom a token speaks."""

    tenant_id: str
    user_id: str


def signing_secret(aws_endpoint_url: str, region: str) -> str:
    """The HS256 secret out of the stack's Secrets Manager. StackError when it does not answer."""
    client = local_client("secretsmanager", aws_endpoint_url, region, answer_seconds=_ANSWER_SECONDS)
    try:
        return str(client.get_secret_value(SecretId=SECRET_NAME)["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise StackError(
            f"the stack's Secrets Manager at {aws_endpoint_url} does not give its secret: {error}"
        ) from error
    finally:
        client.close()


def mint(secret: str, bearer: Bearer, *, ttl_seconds: int) -> str:
    """A token for `bearer` that is good for `ttl_seconds` from now, signed as the deployed issuer signs (HS256)."""
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "sub": bearer.user_id,
        "tenant_id": bearer.tenant_id,
        "iat": now,
        "exp": now + ttl_seconds,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def bearer_of(token: str) -> Bearer:
    """For whom the stack's own token speaks. StackError when it is none of this system's tokens."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return Bearer(tenant_id=str(claims["tenant_id"]), user_id=str(claims["sub"]))
    except (jwt.PyJWTError, KeyError) as error:
        raise StackError(f"the stack's file holds no token of the stack: {error}") from error
