"""Channels in Pipe mode: each epoch's data comes through a named pipe, ``/opt/ml/input/data/<channel>_<epoch>``.

The pipe of the next epoch is there before the present one ends, so a program can open it at once. Augmented manifests
come this way only: the attributes of each line one after the other, objects in place of the ``-ref`` attributes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from pipeline.local.jobs.failures import JobFailure
from pipeline.local.jobs.inputs import InputSource, find_objects, read_augmented_manifest, share
from pipeline.local.jobs.objects import ObjectTransfer, S3Object

_RECORD_MAGIC = 0xCED7230A
_CHUNK = 1024 * 1024
_Item = TypeVar("_Item")

Write = Callable[[BinaryIO], None]


class ChannelPipe:
    """Feeds one channel of one instance, from entering the block until leaving it.

    Args:
        transfer: from S3.
        channel: of the CreateTrainingJob request.
        folder: the instance's ``/opt/ml/input/data``.
        instance, count: the instance's number, from 1, and how many there are.
        tell: receives a line when the data cannot be had; the program then sees the end of its pipe.
    """

    def __init__(
        self,
        transfer: ObjectTransfer,
        channel: Mapping[str, Any],
        folder: Path,
        *,
        instance: int,
        count: int,
        tell: Callable[[str], None],
    ) -> None:
        self._transfer = transfer
        self._tell = tell
        self._records = channel.get("RecordWrapperType", "None") == "RecordIO"
        self._seed: int | None = channel.get("ShuffleConfig", {}).get("Seed")
        self._prefix: Path = folder / channel["ChannelName"]
        source = InputSource.of(channel["DataSource"]["S3DataSource"])
        self._pieces: Sequence[Sequence[Write]]
        if source.data_type == "AugmentedManifestFile":
            lines = share(read_augmented_manifest(transfer, source), source, instance, count)
            self._pieces = [[self._attribute(name, value) for name, value in line.items()] for line in lines]
        else:
            objects = share(find_objects(transfer, source), source, instance, count)
            self._pieces = [[self._object(_uri(entry))] for entry in objects]
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"pipe-{channel['ChannelName']}", daemon=True)

    def __enter__(self) -> Self:
        os.mkfifo(self._path(0))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        while self._thread.is_alive():
            # Whoever waits for a reader finds one, sees that all is over, and ends.
            for path in self._prefix.parent.glob(f"{self._prefix.name}_*"):
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
            self._thread.join(0.01)

    def _path(self, epoch: int) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}_{epoch}")

    def _run(self) -> None:
        epoch = 0
        while not self._ended:
            # A pipe is opened for writing when someone reads it; that may be never.
            with self._path(epoch).open("wb") as pipe, contextlib.suppress(BrokenPipeError):
                if not self._path(epoch + 1).exists():
                    os.mkfifo(self._path(epoch + 1))
                for piece in shuffled(self._pieces, self._seed, epoch):
                    for write in piece:
                        if self._ended:
                            return
                        self._write(write, pipe)
            epoch += 1

    def _write(self, write: Write, pipe: BinaryIO) -> None:
        try:
            write(pipe)
        except JobFailure as failure:
            self._tell(str(failure))
            raise BrokenPipeError from failure

    def _object(self, uri: str) -> Write:
        def write(pipe: BinaryIO) -> None:
            with self._transfer.open_object(uri) as body:
                if self._records:
                    pipe.write(as_record(body.read()))
                else:
                    shutil.copyfileobj(body, pipe, _CHUNK)

        return write

    def _attribute(self, name: str, value: object) -> Write:
        if name.endswith("-ref") and isinstance(value, str):
            return self._object(value)
        content = (value if isinstance(value, str) else json.dumps(value)).encode()

        def write(pipe: BinaryIO) -> None:
            pipe.write(as_record(content) if self._records else content)

        return write


def shuffled(items: Sequence[_Item], seed: int | None, epoch: int) -> Iterator[_Item]:
    """The items of one epoch: in their order, or with ShuffleConfig in another one each time."""
    order = list(range(len(items)))
    if seed is not None:
        random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    return (items[index] for index in order)


def as_record(content: bytes) -> bytes:
    """Content as one RecordIO record: magic number, length, content, filled up to four bytes."""
    return struct.pack("<II", _RECORD_MAGIC, len(content)) + content + b"\0" * (-len(content) % 4)


def _uri(entry: S3Object) -> str:
    return f"s3://{entry.bucket}/{entry.key}"
