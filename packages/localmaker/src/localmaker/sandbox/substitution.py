"""The fallback for machines without namespaces: replace ``/opt/ml`` by the job's own directory in texts.

Only whole path components are replaced (not ``/opt/mlops``), and only in small text files with programs or
configuration, also inside a ``sourcedir.tar.gz``. Data files are never changed.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path

_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?![\w.-])")
_TEXT_SUFFIXES = frozenset({".cfg", ".env", ".ini", ".json", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"})
_MAX_TEXT_BYTES = 1024 * 1024
_SOURCE_ARCHIVE = "sourcedir.tar.gz"


def replace(text: str, work: Path) -> str:
    """Return the text with every ``/opt/ml`` replaced by the job's ``ml`` directory."""
    return _OPT_ML.sub(lambda _match: str(work / "ml"), text)


def rewrite_files(work: Path) -> None:
    """Rewrite the programs and configuration files of a job in place."""
    for folder, _, names in os.walk(work / "ml"):
        for path in (Path(folder, name) for name in names):
            if path.is_symlink() or not path.is_file():
                continue
            if path.name == _SOURCE_ARCHIVE:
                _rewrite_archive(path, work)
            elif path.suffix in _TEXT_SUFFIXES and path.stat().st_size <= _MAX_TEXT_BYTES:
                content = path.read_bytes()
                changed = _replaced_bytes(content, work)
                if changed != content:
                    path.write_bytes(changed)


def _replaced_bytes(content: bytes, work: Path) -> bytes:
    if b"/opt/ml" not in content:
        return content
    try:
        return replace(content.decode(), work).encode()
    except UnicodeDecodeError:
        return content


def _rewrite_archive(path: Path, work: Path) -> None:
    rewritten = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=rewritten, mode="w:gz") as target:
        for member in source:
            stream = source.extractfile(member) if member.isfile() else None
            if stream is None:
                target.addfile(member)
                continue
            content = stream.read()
            if Path(member.name).suffix in _TEXT_SUFFIXES and len(content) <= _MAX_TEXT_BYTES:
                content = _replaced_bytes(content, work)
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    path.write_bytes(rewritten.getvalue())
