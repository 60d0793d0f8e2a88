"""Archives and compressed files that go into and come out of a job."""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from localmaker.services.sagemaker.jobs.data.objects import regular_files
from localmaker.services.sagemaker.jobs.data.trees import files_below
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error

_CHUNK = 1024 * 1024
_GIB = 1024**3
_COMPRESSION = 6
_LONGEST_REQUIREMENTS = 1024 * 1024
_REQUIREMENTS = "requirements.txt"
_SOURCES = "sourcedir.tar.gz"


def unpack(archive: Path, folder: Path, most_bytes: int) -> None:
    """Unpack an untrusted archive.

    Args:
        most_bytes: that its members may have together.

    Raises:
        JobFailure: it is too large unpacked, is not a tar archive, or a member would leave the folder (``..``, an
            absolute name, a link to the outside) or is a device. Nothing outside the folder is ever written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=_Filter(archive, most_bytes))  # noqa: S202 - checks every member
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise client_error(f'"{archive.name}" cannot be unpacked: {error}') from error


class _Filter:
    """Refuses members before they are written."""

    def __init__(self, archive: Path, most_bytes: int) -> None:
        self._archive = archive
        self._most = self._left = most_bytes

    def __call__(self, member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        # Sparse files say their full size.
        self._left -= member.size
        if self._left < 0:
            raise _too_large(f'"{self._archive.name}"', self._most)
        # The data filter would silently make an absolute name relative; such an archive is suspicious.
        if member.name.startswith("/"):
            raise tarfile.AbsolutePathError(member)
        return tarfile.data_filter(member, path)


def _too_large(name: str, most_bytes: int) -> JobFailure:
    return client_error(f"{name} is larger than the job's disk limit of {most_bytes / _GIB:.3g} GiB when unpacked.")


def pack(folders: Sequence[Path], archive: Path) -> Sequence[str]:
    """Pack the regular files of folders, at the archive's root, in a fixed order.

    Times are kept; owner and group are not. Of files with the same name, the one in the first folder is packed.

    Returns:
        The names that occur in more than one folder.
    """
    packed_names: set[str] = set()
    repeated: list[str] = []
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, file in (found for each in folders for found in files_below(each)):
            with file:
                if name in packed_names:
                    repeated.append(name)
                    continue
                packed_names.add(name)
                member = _anonymous(tar.gettarinfo(arcname=name, fileobj=file))
                tar.addfile(member, file if member.isreg() else None)
    return repeated


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def gunzip(source: Path, target: Path, name: str, most_bytes: int) -> None:
    """Decompress a file, as ``CompressionType: Gzip`` asks.

    Args:
        name: what the message calls the file.
        most_bytes: that its content may have.

    Raises:
        JobFailure: it is not gzip, or too large.
    """
    try:
        with gzip.open(source, "rb") as packed, target.open("wb") as plain:
            left = most_bytes
            while piece := packed.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise _too_large(name, most_bytes)
                plain.write(piece)
    except (OSError, EOFError) as error:
        raise client_error(f"{name} is not compressed with gzip, as CompressionType says: {error}") from error


def gunzip_folder(folder: Path, most_bytes: int) -> None:
    """Replace every gzip-compressed file below a folder by its content.

    Args:
        most_bytes: that the contents may have together.

    Raises:
        JobFailure: a file is not gzip, or the contents are too large.
    """
    for path in list(regular_files(folder)):
        target = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.unpacked")
        gunzip(path, target, f'"{path.name}"', most_bytes)
        most_bytes -= target.stat().st_size
        path.unlink()
        if path.suffix != ".gz":
            target.rename(path)


def find_requirements(folders: Iterable[Path]) -> Sequence[str]:
    """Return the distinct texts of the requirements files at the root of a folder or of a source archive in it.

    Raises:
        JobFailure: one is larger than 1 MiB.
    """
    found: list[str] = []
    for folder in folders:
        file, archive = folder / _REQUIREMENTS, folder / _SOURCES
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                found.append(_read_requirements(stream))
        if archive.is_file() and (text := _read_text_member(archive, _REQUIREMENTS)) is not None:
            found.append(text)
    return list(dict.fromkeys(found))


def find_wheels(folders: Iterable[Path]) -> Sequence[Path]:
    """Return the wheels at the root of folders."""
    return [file for folder in folders for file in sorted(folder.glob("*.whl")) if file.is_file()]


def _read_requirements(stream: IO[bytes]) -> str:
    content = stream.read(_LONGEST_REQUIREMENTS + 1)
    if len(content) > _LONGEST_REQUIREMENTS:
        raise client_error(f"{_REQUIREMENTS} is larger than {_LONGEST_REQUIREMENTS >> 20} MiB.")
    return content.decode(errors="replace")


def _read_text_member(archive: Path, name: str) -> str | None:
    """Return the text of one member; None where the archive is unreadable or has no such member."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member) if os.path.normpath(member.name) == name and member.isfile() else None
                if stream is not None:
                    return _read_requirements(stream)
    except (tarfile.TarError, OSError, EOFError):
        return None
    return None
