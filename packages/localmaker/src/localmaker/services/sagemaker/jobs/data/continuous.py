"""Uploads while a job runs: S3UploadMode Continuous, and checkpoints."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer, OutputSize, S3Uri
from localmaker.services.sagemaker.jobs.data.trees import open_files, open_folder
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error

_LOGGER = logging.getLogger(__name__)
_PERIOD_SECONDS = 1.0

_Version = tuple[int, int, int]


@dataclass(frozen=True)
class WatchedFolder:
    """A folder below ``/opt/ml`` that the job writes, and the URI that its files go to.

    Attributes:
        mirrored: the folder starts with the content of the URI, and deletions are repeated there (checkpoints).
    """

    root: Path
    relative: PurePosixPath
    uri: str
    mirrored: bool = False


class ContinuousUpload:
    """Uploads what a job writes, as it writes it, until the block is left.

    A file is uploaded once it is unchanged between two scans, and again after each change. Only deletions in mirrored
    folders are passed on. Leaving the block ends the scans; :meth:`finish` uploads what has changed since.

    Args:
        transfer: to S3.
        folders: folders to watch; of files with the same key, the one in the last folder wins.
        most_bytes: that the files of one folder may have together.
        period_seconds: time between two scans.
    """

    def __init__(
        self,
        transfer: ObjectTransfer,
        folders: Sequence[WatchedFolder],
        most_bytes: int,
        period_seconds: float = _PERIOD_SECONDS,
    ) -> None:
        self._transfer = transfer
        self._most_bytes = most_bytes
        self._folders = folders
        self._period_seconds = period_seconds
        self._uploaded: dict[tuple[WatchedFolder, str], _Version] = {}
        self._seen: dict[tuple[WatchedFolder, str], _Version] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="continuous-upload", daemon=True)

    def __enter__(self) -> Self:
        if self._folders:
            for watched in self._folders:
                self._mark_uploaded(watched)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._folders:
            self._thread.join()

    def finish(self) -> None:
        """Upload every change that is not uploaded yet.

        Raises:
            JobFailure: S3 refuses.
        """
        self._scan(settled_only=False)

    def _run(self) -> None:
        while not self._ended.wait(self._period_seconds):
            try:
                self._scan(settled_only=True)
            except JobFailure as failure:
                _LOGGER.warning("continuous upload failed and will be retried: %s", failure)

    def _mark_uploaded(self, watched: WatchedFolder) -> None:
        if watched.mirrored:
            for name, file in _files(watched):
                with file:
                    self._uploaded[watched, name] = _version(file)

    def _scan(self, *, settled_only: bool) -> None:
        for watched in self._folders:
            present: set[str] = set()
            size = OutputSize(self._most_bytes)
            try:
                for name, file in _files(watched):
                    with file:
                        size.add(file)
                        self._check_file(watched, name, file, settled_only)
                    present.add(name)
            except FileNotFoundError as error:
                if not watched.mirrored:
                    _fail(watched, error, settled_only=settled_only)
                    continue
            except OSError as error:
                _fail(watched, error, settled_only=settled_only)
                continue
            if watched.mirrored:
                self._delete_all_but(watched, present)

    def _check_file(self, watched: WatchedFolder, name: str, file: BinaryIO, settled_only: bool) -> None:
        """Upload a file if it is due."""
        version = _version(file)
        key = (watched, name)
        settled = self._seen.get(key) == version
        self._seen[key] = version
        if self._uploaded.get(key) != version and (settled or not settled_only):
            self._transfer.upload_file(file, _target(watched, name))
            self._uploaded[key] = version

    def _delete_all_but(self, watched: WatchedFolder, present: Collection[str]) -> None:
        gone = [name for each, name in self._uploaded if each == watched and name not in present]
        for name in gone:
            del self._uploaded[watched, name]
            # Another instance of the job may still have it.
            if all((each, name) not in self._uploaded for each in self._folders if each.uri == watched.uri):
                self._transfer.delete(_target(watched, name))


def _files(watched: WatchedFolder) -> Iterator[tuple[str, BinaryIO]]:
    descriptor = open_folder(watched.root, watched.relative)
    try:
        yield from open_files(descriptor)
    finally:
        os.close(descriptor)


def _fail(watched: WatchedFolder, error: OSError, *, settled_only: bool) -> None:
    """Fail the job at its end if a folder cannot be read; until then the folder may reappear."""
    if not settled_only:
        raise client_error(
            f'"/opt/ml/{watched.relative}" cannot be read: {error.strerror}. Symbolic links are not followed.'
        ) from error


def _version(file: BinaryIO) -> _Version:
    state = os.fstat(file.fileno())
    return (state.st_ino, state.st_size, state.st_mtime_ns)


def _target(watched: WatchedFolder, name: str) -> S3Uri:
    return S3Uri.parse(watched.uri).child(name)
