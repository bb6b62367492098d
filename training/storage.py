"""Folders that outlive a machine, by URI: file:///folder, or s3://bucket/prefix (needs boto3).

Credentials, region and endpoint of S3 are the machine's (AWS_* settings).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REFUSED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "PermanentRedirect"}
ABSENT = {"404", "NoSuchKey", "NotFound"}
ATTEMPTS = 8


class StorageUnavailable(OSError):
    """The storage cannot be reached or throttles: it may work later."""


class StorageRefused(ValueError):
    """The storage is there and says no, or a URI names none."""


class Folder(ABC):
    """Files by names relative to `uri`.  A file appears whole or not at all."""

    uri: str

    @abstractmethod
    def upload(self, path: Path, name: str) -> None: ...

    @abstractmethod
    def put(self, data: bytes, name: str) -> None: ...

    @abstractmethod
    def download(self, name: str, path: Path) -> None:
        """Raises FileNotFoundError."""

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """Of the files that begin with `prefix`, sorted."""

    @abstractmethod
    def delete(self, name: str) -> None: ...

    def get(self, name: str, aside: Path) -> bytes:
        """The file's bytes, by way of a local file.  Raises FileNotFoundError."""
        self.download(name, aside)
        try:
            return aside.read_bytes()
        finally:
            aside.unlink()


class DiskFolder(Folder):
    """On this machine's disk, or on one that machines share."""

    def __init__(self, path: Path) -> None:
        self.path, self.uri = path, path.as_uri()

    def upload(self, path: Path, name: str) -> None:
        with self._aside(name) as aside:
            shutil.copyfile(path, aside)

    def put(self, data: bytes, name: str) -> None:
        with self._aside(name) as aside:
            aside.write_bytes(data)

    def download(self, name: str, path: Path) -> None:
        shutil.copyfile(self.path / name, path)

    def names(self, prefix: str) -> list[str]:
        above = self.path / prefix.rpartition("/")[0]
        found = (path.relative_to(self.path).as_posix() for path in above.rglob("*") if path.is_file())
        return sorted(name for name in found if name.startswith(prefix))

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def _aside(self, name: str) -> Iterator[Path]:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.parent / f".{target.name}.{uuid.uuid4().hex}"
        yield aside
        os.replace(aside, target)


class S3Folder(Folder):
    """Objects under s3://BUCKET/PREFIX."""

    def __init__(self, uri: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise StorageRefused(f"{uri}: s3:// needs boto3: install it, or use a file:// folder") from error
        self.uri = uri.rstrip("/")
        self.bucket, _, prefix = self.uri.removeprefix("s3://").partition("/")
        if not self.bucket:
            raise StorageRefused(f"{uri!r} names no bucket: wanted s3://bucket/prefix")
        self.prefix = f"{prefix}/" if prefix else ""
        self.client: Any = boto3.client(
            "s3",
            config=Config(
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=10,
                read_timeout=60,
                request_checksum_calculation="when_required",  # Ceph 16 does not know trailing checksums
                response_checksum_validation="when_required",
            ),
        )

    def upload(self, path: Path, name: str) -> None:
        with self._told(name):
            self.client.upload_file(str(path), self.bucket, self.prefix + name)

    def put(self, data: bytes, name: str) -> None:
        with self._told(name):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)

    def download(self, name: str, path: Path) -> None:
        with self._told(name):
            self.client.download_file(self.bucket, self.prefix + name, str(path))

    def names(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        with self._told(prefix):
            return sorted(found["Key"][len(self.prefix) :] for page in pages for found in page.get("Contents", ()))

    def delete(self, name: str) -> None:
        with self._told(name):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """boto3's errors as ours."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        where = f"{self.uri}/{name}"
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ABSENT:
                raise FileNotFoundError(f"{where}: not there") from error
            if code in REFUSED:
                raise StorageRefused(f"{where}: refused ({code}): look at the bucket's name and rights") from error
            raise StorageUnavailable(f"{where}: {error}") from error
        except NoCredentialsError as error:
            raise StorageRefused(f"{where}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
        except (BotoCoreError, Boto3Error) as error:
            raise StorageUnavailable(f"{where}: {error}") from error


def open_folder(uri: str) -> Folder:
    """Raises StorageRefused."""
    path = local_path(uri)
    return S3Folder(uri) if path is None else DiskFolder(path)


def local_path(uri: str) -> Path | None:
    """The path of file:///folder or of a plain path; None of s3://…  Raises StorageRefused for anything else."""
    if uri.startswith("s3://"):
        return None
    if "://" not in uri:
        return Path(uri).absolute()
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise StorageRefused(f"{uri!r}: wanted file:///folder or s3://bucket/prefix")
    return Path(unquote(parts.path))


def read_bytes(uri: str, aside: Path) -> bytes:
    """A small file by its URI; `aside`: a local file that may be written meanwhile.  Raises FileNotFoundError."""
    above, _, name = uri.rpartition("/")
    path = local_path(uri)
    return path.read_bytes() if path else open_folder(above).get(name, aside)


def fetch(uri: str, digest: str, folder: Path) -> Path:
    """A local path of the file: its own, or a copy in `folder` under its SHA-256 ("": not known, not checked).

    Raises ValueError where the bytes have another digest.
    """
    path = local_path(uri)
    if path is not None:
        if digest and (found := sha256(path)) != digest:
            raise ValueError(f"{path}: SHA-256 {found}, the job says {digest}: give the file that the job names")
        return path
    above, _, name = uri.rpartition("/")
    kept = folder / (digest or hashlib.sha256(uri.encode()).hexdigest()) / name
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    aside = kept.with_name(f".{uuid.uuid4().hex}")
    try:
        open_folder(above).download(name, aside)
        if digest and (found := sha256(aside)) != digest:
            raise ValueError(f"{uri}: SHA-256 {found}, the job says {digest}: give the file that the job names")
        os.replace(aside, kept)
    finally:
        aside.unlink(missing_ok=True)
    return kept


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
