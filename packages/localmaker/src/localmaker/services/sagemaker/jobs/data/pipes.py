"""Inputs in Pipe mode: each epoch's data is streamed by a named pipe, ``/opt/ml/input/data/<channel>_<epoch>``.

The pipe of the next epoch exists before the current one ends, so that a program can open it at once. Augmented
manifests need this mode: the attributes of each line one after the other, objects in place of ``-ref`` attributes.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import stat
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from localmaker.services.sagemaker.jobs.data.inputs import InputSource, find_objects, read_augmented_manifest, share
from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer, S3Object
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error

_RECORD_MAGIC = 0xCED7230A
_CHUNK = 1024 * 1024
_Item = TypeVar("_Item")

Write = Callable[[BinaryIO], None]


@dataclass(frozen=True)
class PipeForm:
    """The form of a channel's data.

    Attributes:
        records: each object, or each attribute of an augmented manifest, as one RecordIO record.
        gzipped: the objects are compressed; the pipe gives their content.
        seed: of the order, which differs between epochs; None for the same order in every epoch.
    """

    records: bool = False
    gzipped: bool = False
    seed: int | None = None

    @classmethod
    def of(cls, channel: Mapping[str, Any]) -> PipeForm:
        """Read a channel of a CreateTrainingJob request."""
        return cls(
            channel.get("RecordWrapperType", "None") == "RecordIO",
            channel.get("CompressionType", "None") == "Gzip",
            channel.get("ShuffleConfig", {}).get("Seed"),
        )


class ChannelPipe:
    """Feeds one channel of one instance while the block runs.

    Args:
        transfer: from S3.
        source: of the data.
        form: of the data.
        prefix: path of the pipes without ``_<epoch>``.
        instance, count: the instance's number, from 1, and how many there are.
        report: receives a line when the data cannot be read; the program then sees the end of its pipe.

    Attributes:
        failure: why the data could not be read. The job then fails, whatever its program does with the data so far.
    """

    def __init__(
        self,
        transfer: ObjectTransfer,
        source: InputSource,
        form: PipeForm,
        prefix: Path,
        *,
        instance: int,
        count: int,
        report: Callable[[str], None],
    ) -> None:
        self._transfer = transfer
        self._report = report
        self._form = form
        self._prefix = prefix
        self.failure: JobFailure | None = None
        self._pieces: Sequence[Sequence[Write]]
        if source.data_type == "AugmentedManifestFile":
            lines = share(read_augmented_manifest(transfer, source), source, instance, count)
            self._pieces = [[self._attribute(name, value) for name, value in line.items()] for line in lines]
        else:
            objects = share(find_objects(transfer, source), source, instance, count)
            self._pieces = [[self._object(_uri(entry))] for entry in objects]
        self._ended = False
        self._folder = -1
        self._thread = threading.Thread(target=self._run, name=f"pipe-{prefix.name}", daemon=True)

    def __enter__(self) -> Self:
        # Held open: the program may replace the folder, or replace a pipe by a link.
        self._folder = os.open(self._prefix.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.mkfifo(self._name(0), dir_fd=self._folder)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        while self._thread.is_alive():
            # The thread may be waiting for a reader: open every pipe, so that it sees the end and returns.
            for name in os.listdir(self._folder):  # noqa: PTH208 - a descriptor
                if name.startswith(self._name("")):
                    with contextlib.suppress(OSError):
                        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
                        os.close(os.open(name, flags, dir_fd=self._folder))
            self._thread.join(0.01)
        os.close(self._folder)

    def _name(self, epoch: object) -> str:
        return f"{self._prefix.name}_{epoch}"

    def _run(self) -> None:
        epoch = 0
        while not self._ended:
            with contextlib.suppress(BrokenPipeError):
                if not self._feed(epoch):
                    return
            epoch += 1

    def _feed(self, epoch: int) -> bool:
        """Write one epoch's data to its pipe. Return False where the pipe no longer exists."""
        try:
            # Opening a pipe for writing blocks until it has a reader, possibly forever.
            opened = os.open(self._name(epoch), os.O_WRONLY | os.O_NOFOLLOW, dir_fd=self._folder)
        except OSError as error:
            self._report(f"the pipe {self._name(epoch)} can no longer be written: {error.strerror}")
            return False
        with os.fdopen(opened, "wb") as pipe:
            if not stat.S_ISFIFO(os.fstat(opened).st_mode):
                self._report(f"{self._name(epoch)} is no longer a pipe; nothing is written to it")
                return False
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self._name(epoch + 1), dir_fd=self._folder)
            for piece in shuffled(self._pieces, self._form.seed, epoch):
                for write in piece:
                    if self._ended:
                        return False
                    self._write(write, pipe)
        return True

    def _write(self, write: Write, pipe: BinaryIO) -> None:
        try:
            write(pipe)
        except JobFailure as failure:
            self._report(str(failure))
            self.failure = self.failure or failure
            raise BrokenPipeError from failure

    def _object(self, uri: str) -> Write:
        def write(pipe: BinaryIO) -> None:
            with ExitStack() as stack:
                body: Any = stack.enter_context(self._transfer.open_object(uri))
                if self._form.gzipped:
                    body = stack.enter_context(gzip.GzipFile(fileobj=body))
                try:
                    if self._form.records:
                        pipe.write(as_record(body.read()))
                    else:
                        shutil.copyfileobj(body, pipe, _CHUNK)
                except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                    raise client_error(
                        f'"{uri}" is not compressed with gzip, as CompressionType says: {error}'
                    ) from error

        return write

    def _attribute(self, name: str, value: object) -> Write:
        if name.endswith("-ref") and isinstance(value, str):
            return self._object(value)
        content = (value if isinstance(value, str) else json.dumps(value)).encode()

        def write(pipe: BinaryIO) -> None:
            pipe.write(as_record(content) if self._form.records else content)

        return write


def first_failure(pipes: Sequence[ChannelPipe]) -> JobFailure | None:
    """Return why the data of a pipe could not be read; None where all could."""
    return next((pipe.failure for pipe in pipes if pipe.failure is not None), None)


def shuffled(items: Sequence[_Item], seed: int | None, epoch: int) -> Iterator[_Item]:
    """Return the items of one epoch: in order, or with ShuffleConfig in a different order each time."""
    order = list(range(len(items)))
    if seed is not None:
        random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    return (items[index] for index in order)


def as_record(content: bytes) -> bytes:
    """Return content as one RecordIO record: magic number, length, content, padded to four bytes."""
    return struct.pack("<II", _RECORD_MAGIC, len(content)) + content + b"\0" * (-len(content) % 4)


def _uri(entry: S3Object) -> str:
    return f"s3://{entry.bucket}/{entry.key}"
