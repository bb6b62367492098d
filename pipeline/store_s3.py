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
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    InvalidEndpointConfigurationError,
    NoRegionError,
    ParamValidationError,
    SSLError,
)

from pipeline.errors import BadConfig, MissingArtifact, StoreRefused, StoreUnavailable
from pipeline.machine_cache import MachineCache
from pipeline.manifest import Artifact
from pipeline.process_identity import this_process
from pipeline.store.disk import OWNER_NAME
from pipeline.store.interface import ArtifactStore, Entry

log = logging.getLogger(__name__)

SCRATCH_PREFIX = "xlmr-"  # of folders in the machine's temporary folder
ATTEMPTS = 8
# One client a process; 'classic' because the CRT client cannot speak plain http to a local server.
TRANSFER = TransferConfig(preferred_transfer_client="classic")
MISSING = {"404", "NoSuchKey", "NotFound"}
LOST_RACE = {"PreconditionFailed", "412"}
CONFLICT = {"ConditionalRequestConflict", "409"}  # AWS: two conditional puts at the same moment; ask again
NOT_IMPLEMENTED = {"NotImplemented", "501"}
# Answers of status 4xx that another try may change: what was sent was damaged or late.
PASSING = {"RequestTimeout", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "TooManyRequests", "429"}
ADVICE = {
    "AccessDenied": "the credentials may not do this: check them and the bucket's policy",
    "NoSuchBucket": "there is no such bucket: make it, or check the store's name and AWS_ENDPOINT_URL",
    "InvalidAccessKeyId": "the server does not know this access key: check the credentials and AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changes requests: check the credentials",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "ExpiredToken": "the credentials have expired: renew them",
    "InvalidToken": "the session token is wrong: renew the credentials",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION",
}
ADVICE |= {"403": ADVICE["AccessDenied"], "Forbidden": ADVICE["AccessDenied"], "301": ADVICE["PermanentRedirect"]}
PROBE = ".conditional-writes"  # stands in a store that was seen to refuse a second conditional put


class S3Store(ArtifactStore):
    """Objects under s3://BUCKET/PREFIX.  Credentials, region and endpoint are the machine's (AWS_* settings)."""

    def __init__(self, root: str, cache: MachineCache | None = None) -> None:
        bucket, _, prefix = root.removeprefix("s3://").rstrip("/").partition("/")
        if not bucket:
            raise BadConfig(f"{root!r} names no bucket: wanted s3://bucket/prefix")
        self.root = root.rstrip("/")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.cache = cache or MachineCache()
        self._downloads = tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX)  # goes with this store
        _sign(Path(self._downloads.name))
        self._is_conditional = False
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
        self._require_conditional_writes()
        return self._conditional_put(key, data) or self.get(key) == data  # perhaps our own put, its reply lost

    def _conditional_put(self, key: str, data: bytes) -> bool:
        """False where the key was taken, by whomever."""
        for attempt in range(ATTEMPTS):
            try:
                with _translated(self.uri(key)):
                    self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, IfNoneMatch="*")
                return True
            except _Lost:
                return False
            except _Conflict:
                time.sleep(0.2 * 2**attempt)
            except _NotImplemented as error:
                raise StoreRefused(self._no_conditional_writes("answers 501")) from error
        raise StoreUnavailable(
            f"{self.uri(key)}: {ATTEMPTS} conditional writes in a row lost against another writer: try again"
        )

    def _require_conditional_writes(self) -> None:
        """Once a process: a store that overwrites on a conditional put would publish two results as one."""
        if self._is_conditional:
            return
        # Of two puts to one key the second must fail; where the probe stands already the first one does.
        if self._conditional_put(PROBE, b"first\n") and self._conditional_put(PROBE, b"second\n"):
            raise StoreRefused(self._no_conditional_writes("overwrites"))
        self._is_conditional = True

    def _no_conditional_writes(self, found: str) -> str:
        return (
            f"{self.root}: this store cannot do conditional writes (it {found} on PUT with If-None-Match: *), so two "
            "attempts could overwrite each other: use AWS S3, Ceph, Swift or another server that can"
        )

    def put(self, key: str, data: bytes) -> None:
        with _translated(self.uri(key)):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

    def upload(self, path: Path, key: str) -> None:
        with _translated(self.uri(key)):
            self.client.upload_file(str(path), self.bucket, self.prefix + key, Config=TRANSFER)
        path.unlink()

    def copy(self, key: str, target: str) -> None:
        source = {"Bucket": self.bucket, "Key": self.prefix + key}
        with _translated(self.uri(key)):
            self.client.copy(source, self.bucket, self.prefix + target, Config=TRANSFER)

    def local(self, key: str) -> Path:
        target = Path(self._downloads.name) / uuid.uuid4().hex
        self._download(key, target)
        return target

    def _download(self, key: str, target: Path) -> None:
        try:
            with _translated(self.uri(key)):
                self.client.download_file(self.bucket, self.prefix + key, str(target), Config=TRANSFER)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def open_shared(self, artifact: Artifact) -> Path:
        def fetch(target: Path) -> None:
            with self.listed(artifact):
                self._download(artifact.key, target)
            self.check(target, artifact)

        return self.cache.path(artifact.sha256, artifact.size_bytes, fetch) or self.open(artifact)

    def entries(self, prefix: str) -> Iterator[Entry]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        with _translated(self.uri(prefix)):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"][len(self.prefix) :]
                    yield Entry(key, found["Size"], found["LastModified"].timestamp())

    def list(self, prefix: str) -> Iterator[str]:
        for entry in self.entries(prefix):
            if not entry.key.startswith("."):
                yield entry.key

    def delete(self, key: str) -> None:
        with _translated(self.uri(key)):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def delete_folder(self, key: str) -> None:
        keys = [self.prefix + entry.key for entry in self.entries(f"{key}/")]
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            with _translated(self.uri(key)):
                self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})

    def remove_unfinished_writes(self, before: float) -> Iterator[Entry]:
        """Uploads in parts that were never completed: no listing shows them, and they are paid for."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self.prefix)
        with _translated(self.root):
            for page in pages:
                for upload in page.get("Uploads", ()):
                    begun = upload["Initiated"].timestamp()
                    if begun < before:
                        which = {"Bucket": self.bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                        parts = self.client.list_parts(**which).get("Parts", ())
                        self.client.abort_multipart_upload(**which)
                        yield Entry(upload["Key"][len(self.prefix) :], sum(part["Size"] for part in parts), begun)

    def scratch(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX))
        _sign(folder)
        return folder

    def scratch_folders(self) -> Iterator[Path]:
        found = Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*/{OWNER_NAME}")  # others' folders are not signed
        yield from sorted(path.parent for path in found)

    def now(self) -> float:
        key = f".clock-{uuid.uuid4().hex}"
        self.put(key, b"")
        try:
            return next(entry.modified for entry in self.entries(key))
        finally:
            self.delete(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return (S3Store, (self.root, self.cache))


def _sign(folder: Path) -> None:
    (folder / OWNER_NAME).write_text(this_process().to_json())


class _Lost(Exception):
    """A conditional put found the key taken."""


class _Conflict(Exception):
    """A conditional put met another in flight."""


class _NotImplemented(StoreRefused):
    """The server does not know what was asked."""


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """S3's errors as this project's: gone, refused for good, or try again."""
    try:
        yield
    except ClientError as error:
        raise _of_answer(uri, error) from error
    except (BotoCoreError, Boto3Error) as error:
        if isinstance(error.__context__, ClientError):  # the transfer manager tells it as text
            raise _of_answer(uri, error.__context__) from error
        raise _of_library(uri, error) from error


def _of_answer(uri: str, error: ClientError) -> Exception:
    code = _code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in LOST_RACE:
        return _Lost()
    if code in CONFLICT:
        return _Conflict()
    if code in MISSING:
        return MissingArtifact(f"{uri}: not in the store")
    if code in NOT_IMPLEMENTED:
        return _NotImplemented(f"{uri}: the store does not know this request")
    if code in ADVICE or (300 <= status < 500 and code not in PASSING):
        return StoreRefused(f"{uri}: the store answers {code}: {ADVICE.get(code, 'check bucket, key and credentials')}")
    return StoreUnavailable(f"{uri}: the store answers {code} after {ATTEMPTS} attempts")


def _of_library(uri: str, error: Exception) -> Exception:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
    if "credentials" in type(error).__name__.lower():
        return StoreRefused(f"{uri}: no credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID")
    if isinstance(error, NoRegionError | ParamValidationError | SSLError | InvalidEndpointConfigurationError):
        return StoreRefused(f"{uri}: {error}. Endpoint: {endpoint}")
    return StoreUnavailable(f"{uri}: {error}. Endpoint: {endpoint}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
