"""boto3 clients of the local AWS services."""

from typing import Any

import boto3
from botocore.config import Config

ACCESS_KEY = "test"  # the local services take any; this one stands for their default account
_CONNECT_SECONDS = 5.0  # to this very machine


def local_client(service: str, endpoint_url: str, region: str, *, answer_seconds: float) -> Any:
    """A client that asks once and waits `answer_seconds` for the answer. Whoever asks for it closes it."""
    session: Any = boto3.Session()  # typed for literal service names only
    return session.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=answer_seconds,
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )
