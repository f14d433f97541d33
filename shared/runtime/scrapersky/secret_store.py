"""Reads secrets from AWS Secrets Manager; boto3 is loaded with the first one, never at import."""

import time

from scrapersky.errors import ConfigurationError

SECRET_SECONDS = 300  # a rotated secret is in use after five minutes at the latest

_secrets: dict[str, tuple[float, str]] = {}


def secret(arn: str) -> str:
    """The secret's text, from Secrets Manager, kept for SECRET_SECONDS.

    Raises:
        ConfigurationError: the secret is not there, not readable or empty. Its content is never told.
    """
    now = time.monotonic()
    known = _secrets.get(arn)
    if known is not None and now - known[0] < SECRET_SECONDS:
        return known[1]
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        text = boto3.client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "").strip()
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"secret {arn} cannot be read: {type(error).__name__}") from error
    if not text:
        raise ConfigurationError(f"secret {arn} is empty")
    _secrets[arn] = (now, text)
    return text
