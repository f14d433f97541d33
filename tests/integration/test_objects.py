"""Objects on S3: written from parts of any length, all of it or none."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from integration.conftest import REGION
from scrapersky.errors import Unavailable
from scrapersky.objects import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "objects"
MEGABYTE = b"0123456789abcdef" * 65_536


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator["S3Client"]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client


@pytest.fixture
def store(s3: "S3Client") -> ObjectStore:
    return ObjectStore(lambda: s3, BUCKET)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [b"a", b"", b"bc"],
        [MEGABYTE] * 8,
        [MEGABYTE * 8, b"!"],
        [MEGABYTE[:-1]] * 20,
        [MEGABYTE * 20],
    ],
    ids=["none", "empty", "small", "one part", "a byte more", "uneven", "in one piece"],
)
def test_an_object_is_its_parts_in_order(store: ObjectStore, s3: "S3Client", parts: list[bytes]) -> None:
    store.write("a/b.txt", iter(parts), media_type="text/plain")
    stored = s3.get_object(Bucket=BUCKET, Key="a/b.txt")
    assert stored["Body"].read() == b"".join(parts)
    assert stored["ContentType"] == "text/plain"
    assert stored["ContentDisposition"] == 'attachment; filename="b.txt"'


@pytest.mark.parametrize("before", [0, 1, 20])
def test_parts_that_break_off_leave_no_object(store: ObjectStore, s3: "S3Client", before: int) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(before):
            yield MEGABYTE
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError, match="the database went away"):
        store.write("a", parts(), media_type="text/plain")
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize("length", [1, 20])
def test_a_bucket_that_is_not_there_is_unavailable(s3: "S3Client", length: int) -> None:
    with pytest.raises(Unavailable):
        ObjectStore(lambda: s3, "nowhere").write("a", [MEGABYTE] * length, media_type="text/plain")
