"""The object store on S3 (AWS, Ceph, Swift, …) through boto3.

Facts that shape it: the transfer manager resumes a truncated body, a plain read does not; a conditional put whose
reply was lost comes back as 412 although it won; only plain PUT with If-None-Match works on every server.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import BadConfig, MissingArtifact, PermanentError, StoreUnavailable
from pipeline.store import ArtifactStore

log = logging.getLogger(__name__)

ATTEMPTS = 8
# One client a process; 'classic' because the CRT client cannot speak plain http to a local server.
TRANSFER = TransferConfig(preferred_transfer_client="classic")
MISSING = {"404", "NoSuchKey", "NotFound"}
PERMANENT = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "NoSuchBucket",
    "InvalidBucketName",
}
LOST_RACE = {"PreconditionFailed", "412"}
CONFLICT = {"ConditionalRequestConflict", "409"}  # AWS: two conditional puts at the same moment; ask again


class S3Store(ArtifactStore):
    """Objects under s3://BUCKET/PREFIX.  Credentials, region and endpoint are the machine's (AWS_* settings)."""

    def __init__(self, root: str) -> None:
        bucket, _, prefix = root.removeprefix("s3://").rstrip("/").partition("/")
        if not bucket:
            raise BadConfig(f"{root!r} names no bucket: wanted s3://bucket/prefix")
        self.root = root.rstrip("/")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._downloads = tempfile.TemporaryDirectory(prefix="xlmr-cache-")  # goes with this store
        self.client = boto3.client(
            "s3",
            config=Config(
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=10,
                read_timeout=60,
                request_checksum_calculation="when_required",  # Ceph 16 does not know trailing checksums
                response_checksum_validation="when_required",
            ),
        )

    def get(self, key: str) -> bytes:
        path = self.local(key)
        try:
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        with _translated(self.uri(key)):
            try:
                self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
            except ClientError as error:
                if _code(error) in MISSING:
                    return False
                raise
            return True

    def put_if_absent(self, key: str, data: bytes) -> bool:
        for attempt in range(ATTEMPTS):
            try:
                with _translated(self.uri(key)):
                    self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, IfNoneMatch="*")
                return True
            except _Lost:
                return self.get(key) == data  # perhaps our own put, its reply lost
            except _Conflict:
                time.sleep(0.2 * 2**attempt)
        raise StoreUnavailable(f"{self.uri(key)}: {ATTEMPTS} conditional puts in a row met another's: try again")

    def put(self, key: str, data: bytes) -> None:
        with _translated(self.uri(key)):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

    def upload(self, path: Path, key: str) -> None:
        with _translated(self.uri(key)):
            self.client.upload_file(str(path), self.bucket, self.prefix + key, Config=TRANSFER)
        path.unlink()

    def local(self, key: str) -> Path:
        target = Path(self._downloads.name) / uuid.uuid4().hex
        try:
            with _translated(self.uri(key)):
                self.client.download_file(self.bucket, self.prefix + key, str(target), Config=TRANSFER)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target

    def list(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        with _translated(self.uri(prefix)):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"][len(self.prefix) :]

    def delete(self, key: str) -> None:
        with _translated(self.uri(key)):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def scratch(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="xlmr-"))

    def __reduce__(self) -> tuple[Any, ...]:
        return (S3Store, (self.root,))


class _Lost(Exception):
    """A conditional put found the key taken."""


class _Conflict(Exception):
    """A conditional put met another in flight."""


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """S3's errors as this project's: gone, refused for good, or try again."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in LOST_RACE:
            raise _Lost from error
        if code in CONFLICT:
            raise _Conflict from error
        if code in MISSING:
            raise MissingArtifact(f"{uri}: not in the store") from error
        if code in PERMANENT:
            raise PermanentError(f"{uri}: the store answers {code}: check bucket, credentials and endpoint") from error
        raise StoreUnavailable(f"{uri}: the store answers {code} after {ATTEMPTS} attempts") from error
    except (BotoCoreError, Boto3Error) as error:
        if "credentials" in type(error).__name__.lower():
            raise PermanentError(f"{uri}: no credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID") from error
        raise StoreUnavailable(f"{uri}: {error}. Endpoint: {os.environ.get('AWS_ENDPOINT_URL', 'AWS')}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
