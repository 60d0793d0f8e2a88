"""Which ``requirements.txt`` a job brings along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from localmaker.services.sagemaker.jobs.data import archives

FILE = "requirements.txt"
_SOURCES = "sourcedir.tar.gz"


def find(folders: Iterable[Path]) -> Sequence[str]:
    """The contents of every requirements file at the root of a folder or of a source archive in it."""
    found: list[str] = []
    for folder in folders:
        file = folder / FILE
        if file.is_file() and not file.is_symlink():
            found.append(file.read_text(encoding="utf-8", errors="replace"))
        archive = folder / _SOURCES
        if archive.is_file():
            text = archives.read_text_member(archive, FILE)
            if text is not None:
                found.append(text)
    return found
