"""A file system that really is full: a small one in memory, for which the tests have to be root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import running_endpoint

_MOUNT = ["mount", "-t", "tmpfs", "-o", "size=40m", "localmaker-test"]
LARGE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run([*_MOUNT, str(folder)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up what is free, to the last byte."""
    path = folder / "other"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def put_until_refused(s3: Any, prefix: str, content: Callable[[], bytes]) -> tuple[list[str], str]:
    """Put objects until one is refused; return the keys of the others, and the refusal."""
    stored: list[str] = []
    for number in range(2000):
        try:
            s3.put_object(Bucket="bbb", Key=f"{prefix}/{number}", Body=content())
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 507:
                return stored, str(error)
            raise
        stored.append(f"{prefix}/{number}")
    raise AssertionError(f"the disk takes {len(stored)} objects")


def test_space_is_made_through_the_api_and_the_endpoint_works_on(
    small_disk: Path, eventually: Callable[..., Any]
) -> None:
    state_dir = small_disk / "state"
    with running_endpoint(state_dir) as first:
        s3, sqs = first.client("s3"), first.client("sqs")
        s3.create_bucket(Bucket="bbb")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="kept")
        large, refusal = put_until_refused(s3, "large", lambda: bytes(LARGE))
        assert "No space left on device" in refusal
        other = fill(small_disk)
        assert os.statvfs(small_disk).f_bavail == 0
        # SQLite has room in its files for a while.
        small, refusal = put_until_refused(s3, "small", lambda: os.urandom(30_000))
        assert "database or disk is full" in refusal
        stored = [*large, *small]
        listed = [one["Key"] for page in pages(s3) for one in page["Contents"]]
        assert listed == sorted(stored)
    # It also starts on a full disk, and what was acknowledged is there.
    with running_endpoint(state_dir) as second:
        s3, sqs = second.client("s3"), second.client("sqs")
        assert [one["Key"] for page in pages(s3) for one in page["Contents"]] == sorted(stored)
        fill(small_disk)
        assert os.statvfs(small_disk).f_bavail == 0
        for key in large[:4]:
            s3.delete_object(Bucket="bbb", Key=key)
        free = os.statvfs(small_disk)
        assert free.f_bavail * free.f_frsize >= 4 * LARGE
        other.unlink()
        s3.put_object(Bucket="bbb", Key="again", Body=bytes(LARGE))
        received = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="q")["QueueUrl"])
        assert [one["Body"] for one in received["Messages"]] == ["kept"]
        eventually(lambda: (state_dir / "reserve").stat().st_size == 8 << 20)
    with running_endpoint(state_dir) as third:
        keys = [one["Key"] for page in pages(third.client("s3")) for one in page["Contents"]]
        assert keys == sorted([*large[4:], *small, "again"])


def pages(s3: Any) -> list[dict[str, Any]]:
    return list(s3.get_paginator("list_objects_v2").paginate(Bucket="bbb"))
