"""The inputs of processing and training jobs: downloaded to each instance before the start, or streamed by pipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath

from localmaker.services.sagemaker.jobs.data.archives import gunzip_folder
from localmaker.services.sagemaker.jobs.data.inputs import InputSource, download, find_objects, share
from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer
from localmaker.services.sagemaker.jobs.data.pipes import ChannelPipe, PipeForm


@dataclass(frozen=True)
class Channel:
    """One input of a job, and where each instance finds it.

    Attributes:
        path: below ``/opt/ml``; in Pipe mode the path of the pipes without ``_<epoch>``.
        mode: ``File``, ``FastFile`` or ``Pipe``.
    """

    source: InputSource
    path: PurePosixPath
    mode: str = "File"
    form: PipeForm = field(default_factory=PipeForm)


def below_ml(path: str) -> PurePosixPath:
    """Return a LocalPath relative to ``/opt/ml``. Requests are validated before (``validation.py``)."""
    return PurePosixPath(path).relative_to("/opt/ml")


def download_channels(
    transfer: ObjectTransfer, channels: Sequence[Channel], roots: Sequence[Path], most_bytes: int
) -> Sequence[Path]:
    """Download every channel that is not in Pipe mode.

    Args:
        roots: the directories that are ``/opt/ml`` on the instances, in order.
        most_bytes: that the files of a compressed channel may have unpacked.

    Returns:
        The channels' folders on all instances.

    Raises:
        JobFailure: S3 refuses, or the objects do not exist or do not match the request.
    """
    folders: list[Path] = []
    for channel in channels:
        if channel.mode == "Pipe":
            continue
        objects = find_objects(transfer, channel.source)
        for number, root in enumerate(roots, 1):
            folder = root / channel.path
            folder.mkdir(parents=True, exist_ok=True)
            download(transfer, share(objects, channel.source, number, len(roots)), folder)
            if channel.form.gzipped:
                gunzip_folder(folder, most_bytes)
            folders.append(folder)
    return folders


def make_pipes(
    transfer: ObjectTransfer, channels: Sequence[Channel], roots: Sequence[Path], report: Callable[[str], None]
) -> Iterator[ChannelPipe]:
    """Yield the pipe of every channel in Pipe mode on every instance; see :func:`download_channels`.

    Args:
        report: receives a line when data cannot be read.
    """
    for (number, root), channel in product(enumerate(roots, 1), channels):
        if channel.mode == "Pipe":
            prefix = root / channel.path
            prefix.parent.mkdir(parents=True, exist_ok=True)
            yield ChannelPipe(
                transfer, channel.source, channel.form, prefix, instance=number, count=len(roots), report=report
            )
