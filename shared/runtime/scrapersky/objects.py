"""Writes large answers to S3 and makes addresses at which whoever holds one may fetch them for a while."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from scrapersky.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_SECONDS = 300  # who follows the answer needs seconds; who finds the address in a log later gets nothing


class ObjectStore:
    """The objects of one bucket.

    Args:
        client: gives the S3 client when the first object is written, since loading boto3 takes a cold start's half.
        bucket: its name; its lifecycle rule deletes what is written here.
    """

    def __init__(self, client: "Callable[[], S3Client]", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, key: str, parts: Iterable[bytes], *, media_type: str) -> None:
        """Write an object of any size, holding one part of the upload (8 MB) at a time.

        An error of `parts` itself is raised as it is; the object then does not exist.

        Raises:
            Unavailable: S3 did not take it.
        """
        from boto3.exceptions import Boto3Error
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import BotoCoreError, ClientError

        name = key.rsplit("/", 1)[-1]
        try:
            self._client().upload_fileobj(
                io.BufferedReader(_Parts(iter(parts))),
                self._bucket,
                key,
                ExtraArgs={"ContentType": media_type, "ContentDisposition": f'attachment; filename="{name}"'},
                Config=TransferConfig(use_threads=False),  # the parts may come from a database connection
            )
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise Unavailable("the storage for large answers is not available") from error

    def link(self, key: str) -> str:
        """An address that gives the object to whoever holds it, for LINK_SECONDS."""
        return self._client().generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=LINK_SECONDS
        )


class _Parts(io.RawIOBase):
    """Parts of any length as one file that can be read once."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        taken = self._left[: len(buffer)]
        self._left = self._left[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
