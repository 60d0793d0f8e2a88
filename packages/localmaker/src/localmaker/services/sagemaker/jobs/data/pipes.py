"""Inputs in Pipe mode: each epoch's data is streamed by a named pipe, ``/opt/ml/input/data/<channel>_<epoch>``.

The pipe of the next epoch exists before the current one ends, so that a program can open it at once. Augmented
manifests need this mode: the attributes of each line one after the other, objects in place of ``-ref`` attributes.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import random
import select
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
from typing import IO, Any, Self, TypeVar

from localmaker.services.sagemaker.jobs.data.inputs import InputSource, find_objects, read_augmented_manifest, share
from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer, S3Object
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error

_RECORD_MAGIC = 0xCED7230A
_CHUNK = 1024 * 1024
# How often a pipe without a reader is tried again, and how soon a writer whose reader does not read sees the job's end.
_PERIOD_SECONDS = 0.02
_Item = TypeVar("_Item")

Write = Callable[[IO[bytes]], None]


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
        self._ended = threading.Event()
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
        self._ended.set()
        self._thread.join()
        os.close(self._folder)

    def _name(self, epoch: object) -> str:
        return f"{self._prefix.name}_{epoch}"

    def _run(self) -> None:
        epoch = 0
        while not self._ended.is_set():
            with contextlib.suppress(BrokenPipeError):
                if not self._feed(epoch):
                    return
            epoch += 1

    def _feed(self, epoch: int) -> bool:
        """Write one epoch's data to its pipe. Return False where the pipe no longer exists."""
        try:
            opened = self._open(epoch)
        except OSError as error:
            self._report(f"the pipe {self._name(epoch)} can no longer be written: {error.strerror}")
            return False
        if opened is None:
            return False
        with io.BufferedWriter(_PipeWriter(opened, self._ended)) as pipe:
            if not stat.S_ISFIFO(os.fstat(opened).st_mode):
                self._report(f"{self._name(epoch)} is no longer a pipe; nothing is written to it")
                return False
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self._name(epoch + 1), dir_fd=self._folder)
            for piece in shuffled(self._pieces, self._form.seed, epoch):
                for write in piece:
                    if self._ended.is_set():
                        return False
                    self._write(write, pipe)
        return True

    def _open(self, epoch: int) -> int | None:
        """Open a pipe once it has a reader; return None when the job ends before. The program may remove it meanwhile.

        Raises:
            OSError: it is not there, or is a link.
        """
        while not self._ended.wait(_PERIOD_SECONDS):
            try:
                return os.open(self._name(epoch), os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=self._folder)
            except OSError as error:
                if error.errno != errno.ENXIO:  # no reader yet
                    raise
        return None

    def _write(self, write: Write, pipe: IO[bytes]) -> None:
        try:
            write(pipe)
        except JobFailure as failure:
            self._report(str(failure))
            self.failure = self.failure or failure
            raise BrokenPipeError from failure

    def _object(self, uri: str) -> Write:
        def write(pipe: IO[bytes]) -> None:
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

        def write(pipe: IO[bytes]) -> None:
            pipe.write(as_record(content) if self._form.records else content)

        return write


class _PipeWriter(io.RawIOBase):
    """The writing end of a pipe, which waits for the reader only until the job has ended.

    Args:
        descriptor: does not block; closed with the writer.
        ended: set when the job has ended; writing then fails as if the reader had closed the pipe.
    """

    def __init__(self, descriptor: int, ended: threading.Event) -> None:
        self._descriptor, self._ended = descriptor, ended
        self._writable = select.poll()
        self._writable.register(descriptor, select.POLLOUT)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        while not self._ended.is_set():
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                self._writable.poll(_PERIOD_SECONDS * 1000)
        raise BrokenPipeError(errno.EPIPE, "the job has ended")

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


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
