"""Reads secrets from AWS Secrets Manager; boto3 is loaded with the first one, never at import."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapersky.errors import ConfigurationError
from scrapersky.observability import hide, logger

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

SECRET_SECONDS = 300.0  # a rotated secret is in use after five minutes at the latest
RETRY_SECONDS = 5.0  # with the secret as it was known, while Secrets Manager does not answer
ANSWER_SECONDS = 10.0  # a try; boto3's own minute is longer than most functions live
TRIES = 2


@dataclass(frozen=True, slots=True)
class _Known:
    text: str
    fresh_until: float  # of the monotonic clock


_secrets: dict[str, _Known] = {}


def secret(arn: str, *, answer_seconds: float = ANSWER_SECONDS) -> str:
    """The secret's text, from Secrets Manager, kept for SECRET_SECONDS, and longer while that does not answer.

    `answer_seconds` bounds each of TRIES tries.

    No log line shows it.

    Raises:
        ConfigurationError: the secret is not there, not readable or empty. Its content is never told.
    """
    known = _secrets.get(arn)
    if known is not None and time.monotonic() < known.fresh_until:
        return known.text
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        text = _read(arn, answer_seconds)
    except (BotoCoreError, ClientError) as error:
        if known is None or not _is_outage(error):
            raise ConfigurationError(f"secret {arn} cannot be read: {type(error).__name__}") from error
        logger().warning("secret kept past its time", extra={"reason": type(error).__name__})
        text, seconds = known.text, RETRY_SECONDS
    else:
        seconds = SECRET_SECONDS
    if not text:
        raise ConfigurationError(f"secret {arn} is empty")
    hide(text)
    _secrets[arn] = _Known(text, time.monotonic() + seconds)
    return text


def _read(arn: str, answer_seconds: float) -> str:
    import boto3
    from botocore.config import Config

    limits = Config(
        connect_timeout=answer_seconds / 2,  # a try may use up the one and then the other
        read_timeout=answer_seconds / 2,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
    )
    answer = boto3.client("secretsmanager", config=limits).get_secret_value(SecretId=arn)
    return answer.get("SecretString", "").strip()


def _is_outage(error: "BotoCoreError | ClientError") -> bool:
    """Whether nothing was said of the secret itself: no answer, a fault of the service, or too many questions."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return True
    return (
        error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or "Throttling" in error.response["Error"]["Code"]
    )
