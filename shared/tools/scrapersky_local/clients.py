"""Clients of the local AWS services, for whoever knows their address."""

from typing import Any

import boto3
from botocore.config import Config

KEY = "test"  # the local services take any; this one stands for their default account


def client(service: str, endpoint_url: str, region: str, *, seconds: float) -> Any:
    """The boto3 client of a service that has `seconds` to answer. A call is made once and past every proxy."""
    session: Any = boto3.Session()  # typed for literal service names only
    return session.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        config=Config(
            connect_timeout=min(seconds, 60),
            read_timeout=seconds,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )
