"""Uploads while a job runs: S3UploadMode Continuous, and checkpoints."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from pipeline.local.jobs.failures import JobFailure, client_error
from pipeline.local.jobs.objects import ObjectTransfer, S3Uri

_LOGGER = logging.getLogger(__name__)
_PERIOD_SECONDS = 1.0

_Version = tuple[int, int, int]


@dataclass(frozen=True)
class WatchedFolder:
    """A folder that the job writes, below its ``/opt/ml``, and the URI that its files go to."""

    root: Path
    relative: PurePosixPath
    uri: str


class ContinuousUpload:
    """Uploads what a job writes, as it writes it, until the block is left.

    A file goes up when it has stayed as it is from one look to the next, and again after each change. Deletions are not
    passed on, as on AWS. Leaving the block stops the looking; :meth:`finish` uploads what is new since.

    Args:
        transfer: to S3.
        folders: what to watch; of files that would have the same key, the last folder's stays.
        period_seconds: between two looks.
    """

    def __init__(
        self, transfer: ObjectTransfer, folders: Sequence[WatchedFolder], period_seconds: float = _PERIOD_SECONDS
    ) -> None:
        self._transfer = transfer
        self._folders = folders
        self._period_seconds = period_seconds
        self._uploaded: dict[tuple[WatchedFolder, str], _Version] = {}
        self._seen: dict[tuple[WatchedFolder, str], _Version] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="continuous-upload", daemon=True)

    def __enter__(self) -> Self:
        if self._folders:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._folders:
            self._thread.join()

    def finish(self) -> None:
        """Upload what has changed since it was uploaded.

        Raises:
            JobFailure: S3 refuses.
        """
        self._look(settled_only=False)

    def _run(self) -> None:
        while not self._ended.wait(self._period_seconds):
            try:
                self._look(settled_only=True)
            except JobFailure as failure:
                _LOGGER.warning("continuous upload, to be tried again: %s", failure)

    def _look(self, *, settled_only: bool) -> None:
        for watched in self._folders:
            where = S3Uri.parse(watched.uri)
            prefix = f"{where.key.rstrip('/')}/" if where.key else ""
            for name, file in self._files(watched, settled_only=settled_only):
                with file:
                    state = os.fstat(file.fileno())
                    version = (state.st_ino, state.st_size, state.st_mtime_ns)
                    key = (watched, name)
                    settled = self._seen.get(key) == version
                    self._seen[key] = version
                    if self._uploaded.get(key) == version or (settled_only and not settled):
                        continue
                    self._transfer.upload_file(file, S3Uri(where.bucket, prefix + name))
                    self._uploaded[key] = version

    def _files(self, watched: WatchedFolder, *, settled_only: bool) -> Iterator[tuple[str, BinaryIO]]:
        try:
            descriptor = open_folder(watched.root, watched.relative)
        except OSError as error:
            if not settled_only:
                raise client_error(
                    f'"/opt/ml/{watched.relative}" cannot be read: {error.strerror}. Symbolic links are not followed.'
                ) from error
            return
        try:
            yield from open_files(descriptor)
        finally:
            os.close(descriptor)


def open_folder(root: Path, relative: PurePosixPath) -> int:
    """A descriptor of a folder below one that someone else may be changing; no component of the way may be a link.

    Raises:
        OSError: it does not exist, or there is a link on the way.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in relative.parts:
        try:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def open_files(folder: int) -> Iterator[tuple[str, BinaryIO]]:
    """The regular files below an open folder with their names relative to it; no link is followed."""
    for parent, folders, names, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        folders.sort()
        for name in sorted(names):
            try:
                opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
            except OSError:
                continue  # a link, a socket, or gone by now
            if stat.S_ISREG(os.fstat(opened).st_mode):
                yield PurePosixPath(parent, name).as_posix(), os.fdopen(opened, "rb")
            else:
                os.close(opened)
